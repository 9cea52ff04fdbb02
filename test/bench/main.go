// SPDX-License-Identifier: Apache-2.0

// Command bench gives the same work to the stock daemons and to khw-controller, and
// prints what each took. It judges nothing.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/khw-controller/khw-controller/test/bench/pairs"
	"github.com/khw-controller/khw-controller/test/bench/subject"
)

const usage = `Compare khw-controller with the stock daemons and etcd, after make build stock.

  go run ./test/bench                                  three pairs, all rows
  go run ./test/bench -runs 1 -rows readyz,restart     one pair of two rows
  go run ./test/bench -only khw -rows pss-idle         one of the two, alone
  go run ./test/bench -json bench.json                 with all values, machine and versions
  go run ./test/bench -healthz                         health checks, beside the lab's nginx

docs/performance.md says what the rows mean. KEEP=1 keeps the files of a run that failed.

`

func main() {
	var o pairs.Options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	o.Flags(fs, suite, 3)
	healthz := fs.Bool("healthz", false, "compare health checks with the lab's nginx instead; of the others, it takes -runs")
	subject.Main(fs, usage, func(ctx context.Context) error {
		if *healthz {
			return benchHealthz(ctx, o.Runs)
		}
		return pairs.Run(ctx, os.Stdout, suite, &o)
	})
}

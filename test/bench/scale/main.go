// SPDX-License-Identifier: Apache-2.0

// Command scale fills the stock daemons and khw-controller with the nodes and pods of
// a big cluster, without kubelets, and prints what holding them and failing over takes.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/khw-controller/khw-controller/test/bench/pairs"
	"github.com/khw-controller/khw-controller/test/bench/subject"
)

const usage = `Compare khw-controller with the stock daemons and etcd in a big cluster, after make build stock.

  go run ./test/bench/scale                                5,000 nodes, 50,000 pods
  go run ./test/bench/scale -pods 150000                   a full one
  go run ./test/bench/scale -nodes 100 -pods 1000          a quick look
  go run ./test/bench/scale -only khw -json scale.json     one of the two, with all values

docs/performance.md says what the rows mean. KEEP=1 keeps the files of a run that failed.

`

func main() {
	var o pairs.Options
	var f fleet
	fs := flag.NewFlagSet("scale", flag.ContinueOnError)
	fs.IntVar(&f.nodes, "nodes", 5000, "how many nodes there are")
	fs.IntVar(&f.pods, "pods", 50_000, "how many pods run on them")
	s := suite(&f)
	o.Flags(fs, s, 1)
	subject.Main(fs, usage, func(ctx context.Context) error {
		if err := f.valid(); err != nil {
			return err
		}
		return pairs.Run(ctx, os.Stdout, s, &o)
	})
}

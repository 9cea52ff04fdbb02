// SPDX-License-Identifier: Apache-2.0

// Command profile starts khw-controller, profiles a start, idleness and work through
// the apiserver's /debug/pprof, and prints where CPU time and memory went.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/khw-controller/khw-controller/test/bench/subject"
)

const usage = `Profile khw-controller, after make build: CPU, heap, allocations and goroutines of
a start, of 20 s without work, and of 3,000 pods that are bound onto 500 nodes.

  go run ./test/bench/profile                              into profile/
  go run ./test/bench/profile -dir /tmp/before             somewhere else
  go tool pprof -http : profile/load-cpu.pprof             one of them, in a browser
  go tool pprof -top -tagfocus kube-scheduler profile/load-cpu.pprof

docs/performance.md says how to profile one that runs.

`

// How long idleness is, and how long is waited before it.
const (
	settle = 20 * time.Second
	idle   = 20 * time.Second
)

func main() {
	fs := flag.NewFlagSet("profile", flag.ContinueOnError)
	dir := fs.String("dir", "profile", "the `directory` that the profiles are written to")
	subject.Main(fs, usage, func(ctx context.Context) error {
		if err := os.MkdirAll(*dir, 0o755); err != nil {
			return fmt.Errorf("-dir: %w", err)
		}
		return subject.Use(ctx, subject.KHW, nil, func(r *subject.Run) error { return profile(ctx, r, *dir) })
	})
}

func profile(ctx context.Context, r *subject.Run, dir string) error {
	p := &profiler{run: r, dir: dir}
	phases := []struct {
		name string
		do   func() error
	}{
		{"start", func() error { _, err := r.StartReady(ctx); return err }},
		{"idle", func() error { return subject.Rest(ctx, idle) }},
		{"load", func() error { _, err := r.BindPods(ctx); return err }},
	}
	for _, phase := range phases {
		if phase.name == "idle" {
			if err := subject.Rest(ctx, settle); err != nil {
				return err
			}
		}
		if err := p.during(ctx, phase.name, phase.do); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
		cpu, err := r.CPUSeconds()
		if err != nil {
			return err
		}
		fmt.Printf("\n===== %s; %.1f s of CPU time since the process was started\n", phase.name, cpu)
		if err := p.summarize(ctx, os.Stdout, phase.name); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	fmt.Printf("\nAll of it is in %s; go run ./test/bench/profile -help says how to look closer.\n", dir)
	return nil
}

// SPDX-License-Identifier: Apache-2.0

// Command khw-controller is the control plane of "Kubernetes The Hard Way" as
// one program.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/khw-controller/khw-controller/pkg/cmd"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

func main() {
	ctx := context.Background()
	if filepath.Base(os.Args[0]) == "khw-controller" {
		// Programs under other names bring their own signal handling. The second
		// signal ends the process at once.
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
	}
	os.Exit(cmd.Main(ctx, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args))
}

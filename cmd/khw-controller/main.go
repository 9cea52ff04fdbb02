// SPDX-License-Identifier: Apache-2.0

// Command khw-controller is the control plane of "Kubernetes The Hard Way" as
// one program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/khw-controller/khw-controller/pkg/cmd"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

func main() {
	ctx := context.Background()
	if !cmd.IsProgram(os.Args[0]) {
		// Other programs than this one bring their own signal handling. The second
		// signal ends the process at once.
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
	}
	os.Exit(cmd.Main(ctx, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args))
}

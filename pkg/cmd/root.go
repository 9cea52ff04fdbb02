// SPDX-License-Identifier: Apache-2.0

// Package cmd is the khw-controller command line: one package per verb below
// it, each a function that takes its streams and returns an error.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/khw-controller/khw-controller/pkg/cmd/adopt"
	"github.com/khw-controller/khw-controller/pkg/cmd/certs"
	"github.com/khw-controller/khw-controller/pkg/cmd/check"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/cmd/etcd"
	"github.com/khw-controller/khw-controller/pkg/cmd/evaluate"
	"github.com/khw-controller/khw-controller/pkg/cmd/flags"
	initcmd "github.com/khw-controller/khw-controller/pkg/cmd/init"
	"github.com/khw-controller/khw-controller/pkg/cmd/kubectl"
	"github.com/khw-controller/khw-controller/pkg/cmd/lb"
	"github.com/khw-controller/khw-controller/pkg/cmd/man"
	"github.com/khw-controller/khw-controller/pkg/cmd/run"
	"github.com/khw-controller/khw-controller/pkg/cmd/secretsencrypt"
	"github.com/khw-controller/khw-controller/pkg/cmd/status"
	"github.com/khw-controller/khw-controller/pkg/cmd/verify"
	"github.com/khw-controller/khw-controller/pkg/cmd/version"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// IsProgram reports whether the binary, started under name, is another program
// than khw-controller: one of those that the lab installs.
func IsProgram(name string) bool {
	_, ok := programs[filepath.Base(name)]
	return ok
}

// Main runs the program that args name, args[0] being the name it was started
// under, and returns the exit code: 0 after success and an orderly stop, 1 for a
// failure, 2 for wrong usage.
func Main(ctx context.Context, streams cli.Streams, args []string) int {
	if program, ok := programs[filepath.Base(args[0])]; ok {
		return program(streams, args)
	}
	// Kubernetes' packages register a --version there, and cobra shows it.
	pflag.CommandLine = pflag.NewFlagSet(args[0], pflag.ContinueOnError)
	root := newRoot(streams)
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	return report(streams.Err, err)
}

func report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	var usage cli.UsageError
	var silent cli.Exit
	if errors.As(err, &silent) {
		return silent.Code
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(w, "khw-controller: %s\n", line)
	}
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

func newRoot(streams cli.Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "khw-controller",
		Short: "The control plane of \"Kubernetes The Hard Way\" as one program",
		Long: `khw-controller is chapter 8 of "Kubernetes The Hard Way" as one program: etcd,
kube-apiserver, kube-controller-manager and kube-scheduler in one process, with
the lab's exact flags.

Started under the name kube-apiserver, kube-controller-manager, kube-scheduler
or kubectl, it is that program and takes the lab's command lines.`,
		Example: `  # A control plane, complete with certificates, on an empty machine
  sudo khw-controller run

  # The same as an ordinary user, everything below one directory
  khw-controller run --root ~/khw --healthz-bind-address 127.0.0.1:8080

  # Would it work here? What would each flag of the lab be?
  khw-controller check
  khw-controller flags`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(cli.FlagError)
	root.PersistentFlags().String(cli.RootFlag, "", "A `directory` that every path is put below, for an ordinary user, a test or a second control plane. (default the lab's own paths)")
	root.AddCommand(
		run.New(),
		initcmd.New(),
		flags.New(),
		check.New(),
		status.New(),
		verify.New(),
		etcd.New(),
		certs.New(),
		adopt.New(),
		secretsencrypt.New(),
		kubectl.New(),
		lb.New(),
		version.New(),
		man.New(),
		evaluate.New(),
	)
	return root
}

func unknownCommand(cmd *cobra.Command, name string) error {
	var known []string
	for _, c := range cmd.Commands() {
		known = append(known, c.Name())
	}
	if near := lab.Nearest(name, known); near != "" {
		return cli.Usagef("there is no command %q; did you mean %s?", name, near)
	}
	return cli.Usagef("there is no command %q; see khw-controller --help", name)
}

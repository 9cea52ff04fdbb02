// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	restclient "k8s.io/client-go/rest"
)

// Main is the main function of a benchmark: it reads its flags, ends on Ctrl-C or
// SIGTERM what run does, and prints an error in one line. usage is what -help says
// before the flags.
func Main(fs *flag.FlagSet, usage string, run func(context.Context) error) {
	if err := parsedAndRun(fs, usage, run); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", fs.Name(), err)
		os.Exit(1)
	}
}

func parsedAndRun(fs *flag.FlagSet, usage string, run func(context.Context) error) error {
	if err := parse(fs, usage); err != nil {
		return err
	}
	restclient.SetDefaultWarningHandler(restclient.NoWarnings{})
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := run(ctx)
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted; what was started is stopped and removed")
	}
	return err
}

func parse(fs *flag.FlagSet, usage string) error {
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	err := fs.Parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		fs.SetOutput(os.Stdout)
		fmt.Fprint(os.Stdout, usage)
		fs.PrintDefaults()
		return err
	}
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("%q is not a flag", fs.Arg(0))
	}
	if err != nil {
		return fmt.Errorf("%w; see -help", err)
	}
	return nil
}

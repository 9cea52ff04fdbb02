// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"os"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/evaluation"
)

// TestMain has this test binary be the program, when it is started as the child
// that evaluates the components' flags.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == evaluation.Verb {
		os.Exit(Main(context.Background(), cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args))
	}
	os.Exit(m.Run())
}

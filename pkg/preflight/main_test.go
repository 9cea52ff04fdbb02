// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/evaluation"
)

// TestMain has this test binary be the program that evaluates the components'
// flags, when it is asked to as that is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == evaluation.Verb {
		if err := evaluation.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

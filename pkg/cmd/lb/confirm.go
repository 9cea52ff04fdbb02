// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

// errDeclined is the error of an answer other than yes, errInterrupted of none.
var (
	errDeclined    = errors.New("not confirmed; nothing was deleted")
	errInterrupted = errors.New("interrupted; nothing was deleted")
)

// confirm asks on a terminal. Without one there is nobody to ask. It ends with
// ctx, though its reading of the terminal only ends with the program.
func confirm(ctx context.Context, in io.Reader, ask io.Writer, n int) error {
	if !cli.IsTerminal(in) {
		return cli.Usagef("--delete asks before it deletes, and there is no terminal to ask on; add --yes, or --dry-run to see the plan")
	}
	fmt.Fprintf(ask, "Delete these %d? Type yes: ", n)
	type line struct {
		text string
		err  error
	}
	answered := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(in).ReadString('\n')
		answered <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(ask)
		return errInterrupted
	case answer := <-answered:
		if answer.err != nil && !errors.Is(answer.err, io.EOF) {
			return fmt.Errorf("reading the answer: %w", answer.err)
		}
		if strings.TrimSpace(answer.text) != "yes" {
			return errDeclined
		}
	}
	return nil
}

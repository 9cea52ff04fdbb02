// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

// errDeclined is the error of an answer other than yes.
var errDeclined = errors.New("not confirmed; nothing was deleted")

// confirm asks on a terminal. Without one there is nobody to ask.
func confirm(in io.Reader, ask io.Writer, n int) error {
	if !cli.IsTerminal(in) {
		return cli.Usagef("--delete asks before it deletes, and there is no terminal to ask on; add --yes, or --dry-run to see the plan")
	}
	fmt.Fprintf(ask, "Delete these %d? Type yes: ", n)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if strings.TrimSpace(answer) != "yes" {
		return errDeclined
	}
	return nil
}

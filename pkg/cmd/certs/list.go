// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
)

// listed is a certificate for scripts.
type listed struct {
	certs.Certificate
	// DaysLeft are whole days; below 0, it has expired.
	DaysLeft int `json:"daysLeft"`
}

func newList() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show every certificate in force and when it expires",
		Long: `Show every certificate in force on this controller: its file, its subject, who
signed it, what it is for and when it expires. It takes the flags of run. A file
with several certificates is shown with each of them.

service-account.pem is not among them: only its key is used, by nobody who looks
at a date.

Exit codes: 0 when all can be read, expired or not; 1 when a file cannot; 2 for
wrong usage.`,
		Example: `  khw-controller certs list
  khw-controller certs list -o json | jq -r '.[] | select(.daysLeft < 30) | .path'`,
		Args: cli.NoArgs,
	}
	output := cli.AddOutput(cmd, "json")
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := cli.Plan(cmd, &flags)
		if err != nil {
			return err
		}
		defer p.Close()
		all, unreadable, err := certs.List(p)
		if err != nil {
			return err
		}
		if err := writeList(cmd.OutOrStdout(), all, output.String() == "json", time.Now()); err != nil {
			return err
		}
		return errors.Join(unreadable...)
	}
	return cmd
}

func writeList(w io.Writer, all []certs.Certificate, json bool, now time.Time) error {
	out := []listed{}
	for _, c := range all {
		out = append(out, listed{c, days(c.Left(now))})
	}
	if json {
		return cli.WriteJSON(w, out)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSUBJECT\tISSUER\tEXPIRES\tDAYS LEFT\tNAMES")
	for _, c := range out {
		name := c.Name
		if c.Position > 1 {
			name += fmt.Sprintf(" (%d)", c.Position)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\n", name, short(c.Subject), short(c.Issuer),
			c.NotAfter.UTC().Format(time.RFC3339), c.DaysLeft, strings.Join(c.Names, ","))
	}
	return table.Flush()
}

// days are the whole days in d, rounded down.
func days(d time.Duration) int {
	const day = 24 * time.Hour
	if d < 0 {
		return int((d - day + 1) / day)
	}
	return int(d / day)
}

// short is a subject without the lab's location, which all have.
func short(subject string) string {
	var parts []string
	for part := range strings.SplitSeq(subject, ",") {
		if strings.HasPrefix(part, "CN=") || strings.HasPrefix(part, "O=") {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return subject
	}
	return strings.Join(parts, ",")
}

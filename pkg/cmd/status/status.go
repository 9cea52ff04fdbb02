// SPDX-License-Identifier: Apache-2.0

// Package status is `khw-controller status`.
package status

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/status"
)

// redrawEvery is the pace of --watch.
const redrawEvery = 2 * time.Second

// New returns the command. Its exit code says how the worst controller is doing.
func New() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how this controller, or every one, is doing",
		Long: `Show every component of this controller, the etcd members, the health port, the
certificates that expire next and how fast etcd's disk is, on one screen. It asks
the running process over its unix socket, so it works when the apiserver does
not, and it answers within a second: what is slow is shown as it was last seen, and
said to be so.

With --all, every controller of the cluster is asked: the others through their
apiservers, as the admin.

Exit codes: 0 when all is well, 1 when it is degraded, starting or stopping, 2
when it is down or does not answer. With --all, that of the worst controller.`,
		Example: `  khw-controller status
  khw-controller status --all --watch
  khw-controller status -o json | jq '.components[] | select(.state == "leading")'`,
		Args: cli.NoArgs,
	}
	var c command
	output := cli.AddOutput(cmd, "json")
	cmd.Flags().BoolVar(&c.all, "all", false, "Ask every controller of the cluster.")
	cmd.Flags().BoolVar(&c.watch, "watch", false, "Ask again every 2 seconds, until interrupted.")
	cmd.Flags().StringVar(&c.kubeconfig, "kubeconfig", "", "As whom --all asks the other controllers. (default admin.kubeconfig among the lab's files)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		root, err := cli.Root(cmd)
		if err != nil {
			return err
		}
		c.root, c.json = root, output.String() == "json"
		return c.run(cmd.Context(), cmd.OutOrStdout())
	}
	return cmd
}

// command is one call of the command.
type command struct {
	root, kubeconfig string
	all, watch, json bool
}

func (c *command) run(ctx context.Context, out io.Writer) error {
	redraw := c.watch && !c.json && cli.IsTerminal(out)
	for {
		answers, err := c.ask(ctx)
		if err != nil {
			return err
		}
		if redraw {
			fmt.Fprint(out, "\x1b[H\x1b[2J") // home, and clear the screen
		}
		if err := c.show(out, answers); err != nil {
			return err
		}
		if !c.watch {
			return exit(answers)
		}
		select {
		case <-ctx.Done():
			return exit(answers)
		case <-time.After(redrawEvery):
		}
	}
}

// exit returns the exit code of the worst answer, as an error.
func exit(answers []answer) error {
	code := 0
	for _, a := range answers {
		code = max(code, a.word().ExitCode())
	}
	if code == 0 {
		return nil
	}
	return cli.Exit{Code: code}
}

// answer is what one controller says of itself, or why it does not.
type answer struct {
	*status.Report
	// controller is its address, where that is all that is known of it.
	controller string
	// health is Down or NoAnswer without a Report.
	health status.Health
	reason error
}

// thisController is how the one that is asked first is called.
const thisController = "this controller"

func down(controller string, reason error) answer {
	return answer{controller: controller, health: status.Down, reason: reason}
}

// silent is the answer of a controller that is not known to be down.
func silent(controller string, reason error) answer {
	return answer{controller: controller, health: status.NoAnswer, reason: reason}
}

func (a answer) word() status.Health {
	if a.Report == nil {
		return a.health
	}
	return a.Status
}

// sentence is a without a Report, in words.
func (a answer) sentence() string {
	if a.health == status.NoAnswer {
		return fmt.Sprintf("%s does not answer: %s", a.controller, a.reason)
	}
	return fmt.Sprintf("%s is down: %s", a.controller, a.reason)
}

// document is what a says in JSON.
func (a answer) document() any {
	if a.Report != nil {
		return a.Report
	}
	return map[string]any{"controller": a.controller, "status": a.health, "reason": a.reason.Error()}
}

// show prints one screen. In JSON it is an object, with --all a list of them; with
// --watch each is one line.
func (c *command) show(out io.Writer, answers []answer) error {
	if c.json {
		return c.showJSON(out, answers)
	}
	for i, a := range answers {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if a.Report == nil {
			if _, err := fmt.Fprintln(out, a.sentence()); err != nil {
				return err
			}
			continue
		}
		if err := status.Write(out, a.Report); err != nil {
			return err
		}
	}
	if text := differentProfiles(answers); text != "" {
		if _, err := fmt.Fprintf(out, "\nwarning: %s\n", text); err != nil {
			return err
		}
	}
	return nil
}

// differentProfiles says which controller has which profile, where they differ, in
// the order in which each takes them.
func differentProfiles(answers []answer) string {
	var each []string
	differ := false
	var first *status.Report
	for _, a := range answers {
		if a.Report == nil {
			continue
		}
		if first == nil {
			first = a.Report
		}
		differ = differ || !slices.Equal(first.Profiles, a.Profiles)
		each = append(each, a.Node+" has "+cmp.Or(strings.Join(a.Profiles, ","), "none"))
	}
	if !differ {
		return ""
	}
	return "the controllers have different profiles: " + strings.Join(each, ", ") + "; give all the same (docs/profiles.md)"
}

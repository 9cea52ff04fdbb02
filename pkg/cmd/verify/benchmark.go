// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cis"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/instance"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

// benchmark is the command with --profile cis.
func benchmark(cmd *cobra.Command, flags *config.Flags, kubeconfig, format string) error {
	c, err := cli.Config(cmd, flags)
	if err != nil {
		return err
	}
	running, err := whatRuns(cmd.Context(), c)
	if err != nil {
		return err
	}
	if running != nil {
		c.Profiles = running.Profiles
	}
	p, err := cli.PlanOf(cmd, c)
	if err != nil {
		return err
	}
	defer p.Close()
	pid := 0
	if running != nil {
		if err := sameFlags(p, running); err != nil {
			return err
		}
		pid = running.PID
	}
	t, err := target(p, kubeconfig, "")
	if err != nil {
		return err
	}
	begun := time.Now()
	var cluster cis.Cluster
	cluster.Client, cluster.Explain, cluster.Problem = verify.Client(t)
	results := cis.Run(cmd.Context(), p, pid, cluster)
	if err := writeItems(cmd.OutOrStdout(), results, format, begun); err != nil {
		return err
	}
	if verify.Count(cis.Plain(results), verify.Failed) > 0 {
		return cli.Exit{Code: 1}
	}
	return nil
}

// reportTimeout is what the controller may take to say how it runs.
const reportTimeout = 2 * time.Second

// whatRuns asks the controller that runs on this root what it runs with; nil where none
// does.
func whatRuns(ctx context.Context, c *config.Config) (*status.Report, error) {
	holder, held, err := instance.Holder(paths.Lock.Below(c.Root))
	if err != nil || !held {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	socket := paths.StatusSocket.Below(c.Root)
	r, err := status.AskSocket(ctx, socket)
	if err != nil {
		return nil, fmt.Errorf("process %d runs on this root, and does not say with which profile: %s: %s; only its owner and root may ask: use sudo, and see khw-controller status",
			holder.PID, socket, connerr.OneLine(err))
	}
	return r, nil
}

// sameFlags is an error where the controller runs with other flags than those that are
// judged.
func sameFlags(p *plan.Plan, running *status.Report) error {
	// A reload takes over some of the process-wide ones.
	without := func(set []string) []string {
		return slices.DeleteFunc(slices.Clone(set), func(text string) bool {
			_, arg, _ := strings.Cut(text, " ")
			return plan.IsProcessWide(lab.ParseArg(arg).Name)
		})
	}
	here, there := without(p.SetHere()), without(running.Lab.Set)
	var differ []string
	for _, s := range there {
		if !slices.Contains(here, s) {
			differ = append(differ, "with "+s)
		}
	}
	for _, s := range here {
		if !slices.Contains(there, s) {
			differ = append(differ, "without "+s)
		}
	}
	if len(differ) == 0 {
		return nil
	}
	return errors.New("the controller that runs here was started " + strings.Join(differ, ", ") + "; give verify the flags of run, or restart the controller")
}

func writeItems(w io.Writer, results []cis.Result, format string, begun time.Time) error {
	plain := cis.Plain(results)
	switch format {
	case "json":
		return cli.WriteJSON(w, map[string]any{
			"benchmark": cis.Benchmark, "items": results,
			"passed": verify.Count(plain, verify.Passed), "failed": verify.Count(plain, verify.Failed),
			"differs": verify.Count(plain, verify.Differs), "skipped": verify.Count(plain, verify.Skipped),
		})
	case "junit":
		return verify.WriteJUnit(w, plain, begun)
	}
	return cis.Write(w, results, marks())
}

// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/lb"
)

// changesPending is the exit code of a dry run that has found something to do.
const changesPending = 3

// converge plans, prints, asks, applies and waits, as far as the flags go.
func (c *command) converge(cmd *cobra.Command, cloud lb.Cloud, shown *progress) error {
	plan, err := c.plan(cmd.Context(), cloud)
	if err != nil {
		return err
	}
	if c.printCommands {
		return plan.WriteCommands(shown)
	}
	plan.WriteText(shown)
	var health []lb.InstanceHealth
	if !c.dryRun {
		health, err = c.carryOut(cmd, cloud, plan, shown)
	}
	if c.output.String() == formatJSON {
		report := plan.Report()
		report.Health = health
		if written := cli.WriteJSON(cmd.OutOrStdout(), report); err == nil {
			err = written
		}
	}
	switch {
	case err != nil:
		return err
	case c.dryRun && plan.Pending() > 0:
		return cli.Exit{Code: changesPending}
	case !c.dryRun && !c.delete && cloud.Address() != "":
		fmt.Fprintf(shown, "clients connect to https://%s\n", net.JoinHostPort(cloud.Address(), strconv.Itoa(int(c.shared.Port))))
	}
	return nil
}

func (c *command) plan(ctx context.Context, cloud lb.Cloud) (*lb.Plan, error) {
	if c.delete {
		return lb.NewDeletion(ctx, cloud)
	}
	return lb.NewPlan(ctx, cloud)
}

// carryOut makes the plan come true.
func (c *command) carryOut(cmd *cobra.Command, cloud lb.Cloud, plan *lb.Plan, shown *progress) ([]lb.InstanceHealth, error) {
	if c.delete && !c.yes && plan.Pending() > 0 {
		shown.pause()
		if err := confirm(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr(), plan.Pending()); err != nil {
			return nil, err
		}
	}
	if err := plan.Apply(cmd.Context(), shown.onStep); err != nil {
		return nil, err
	}
	if !c.wait {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), c.waitTimeout)
	defer cancel()
	health, err := lb.Wait(ctx, cloud, healthInterval, shown.onHealth)
	shown.pause()
	return health, err
}

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

// converge plans, prints, asks, applies and waits, as far as the flags go.
func (c *command) converge(cmd *cobra.Command, cloud lb.Cloud) error {
	plan, err := c.plan(cmd.Context(), cloud)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	asJSON := c.output.String() == "json"
	if !asJSON {
		plan.WriteText(out)
	}
	var health []lb.InstanceHealth
	if !c.dryRun {
		health, err = c.carryOut(cmd, cloud, plan)
	}
	if asJSON {
		report := plan.Report()
		report.Health = health
		if written := cli.WriteJSON(out, report); err == nil {
			err = written
		}
	}
	switch {
	case err != nil:
		return err
	case c.dryRun && plan.Pending() > 0:
		return cli.Exit{Code: 2}
	case !c.dryRun && !c.delete && !asJSON && cloud.Address() != "":
		fmt.Fprintf(out, "clients connect to https://%s\n", net.JoinHostPort(cloud.Address(), strconv.Itoa(int(c.shared.Port))))
	}
	return nil
}

func (c *command) plan(ctx context.Context, cloud lb.Cloud) (*lb.Plan, error) {
	if c.delete {
		return lb.NewDeletion(ctx, cloud)
	}
	return lb.NewPlan(ctx, cloud)
}

// carryOut makes the plan come true. Nothing is shown but the result if that is
// for a script.
func (c *command) carryOut(cmd *cobra.Command, cloud lb.Cloud, plan *lb.Plan) ([]lb.InstanceHealth, error) {
	shown := newProgress(cmd.OutOrStdout())
	if c.output.String() == "json" {
		shown = newProgress(nil)
	}
	if c.delete && !c.yes && plan.Pending() > 0 {
		if err := confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), plan.Pending()); err != nil {
			return nil, err
		}
	}
	if err := plan.Apply(cmd.Context(), shown.step); err != nil {
		return nil, err
	}
	if !c.wait {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), c.waitTimeout)
	defer cancel()
	health, err := lb.Wait(ctx, cloud, healthInterval, shown.health)
	shown.end()
	return health, err
}

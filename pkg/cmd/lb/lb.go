// SPDX-License-Identifier: Apache-2.0

// Package lb is `khw-controller lb`.
package lb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/address"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/lb"
)

// healthInterval is how often a wait asks; the lab's health checks have 5 s.
const healthInterval = 2 * time.Second

// command is what the flags say.
type command struct {
	providers map[string]provider
	shared    lb.Options

	cloud       string
	dryRun      bool
	delete      bool
	yes         bool
	wait        bool
	waitTimeout time.Duration
	printPolicy bool
	// printCommands prints the plan for those who carry it out.
	printCommands bool
	output        *cli.Output
}

// formatJSON is the value of -o for scripts.
const formatJSON = "json"

// New returns the command. It exits with 3 when a dry run has found something
// to do.
func New() *cobra.Command {
	c := &command{providers: map[string]provider{address.AWS: newAWS(), address.GCP: newGCP()}}
	cmd := &cobra.Command{
		Use:   "lb",
		Short: "Wire up the cloud load balancer of lab chapter 8",
		Long: `Make the cloud's load balancer what the lab's chapter 8 wants it to be: read
what is there, print the difference as a plan, and apply it in the order of its
dependencies. A second run changes nothing.

  + create   ~ change old → new   = as it should be   - delete   ? left alone

On GCP it makes the health check, the firewall rule, the target pool with the
controllers and the forwarding rule; the reserved address has to be there. On
AWS it sets the health check of the classic load balancer and registers the
controllers that run; the load balancer has to be there. With --create, what
the lab takes from its chapter 3 is made as well. With --type, the load
balancers that have since taken the place of the lab's two are used.

Credentials come from where each cloud's own tools have them. The names and
values of the lab are the defaults of the flags. --print-commands prints what
would be done as lines for that tool, for those who may not do it themselves.

What it made and no longer wants, such as the rule for a range that is not
allowed any more, it removes. What others made it leaves and names. --delete
undoes it in reverse: only what bears the mark of khw-controller, and the places
of the controllers behind the load balancer, which cannot be marked.

Exit codes: 0 when all is as it should be; 1 for a failure, which says what was
done, and the same command then continues; 2 for wrong usage; 3 for a --dry-run
that has found something to do.`,
		Example: `  # What would be done? Then do it, and wait until all controllers get traffic
  khw-controller lb --cloud aws --dry-run
  khw-controller lb --cloud aws --wait

  # With what the lab takes from chapter 3, and today's kind of load balancer
  khw-controller lb --cloud aws --create --type nlb
  khw-controller lb --cloud gcp --create --type backend-service

  # Who gets traffic, and how the machines are
  khw-controller lb status --cloud aws

  # The same by hand: as lines for the aws tool
  khw-controller lb --cloud aws --print-commands

  # The permissions that this takes, and undoing it
  khw-controller lb --cloud aws --create --print-iam-policy
  khw-controller lb --cloud aws --create --delete`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd) },
	}
	c.addFlags(cmd)
	c.addSharedFlags(cmd)
	cmd.AddCommand(newStatus(c))
	return cmd
}

func (c *command) addFlags(cmd *cobra.Command) {
	c.output = cli.AddOutput(cmd, formatJSON)
	f := cmd.Flags()
	f.BoolVar(&c.dryRun, "dry-run", false, "Print the plan and change nothing; exit with 3 if there is something to do.")
	f.BoolVar(&c.printCommands, "print-commands", false, "Print the plan as lines for the cloud's own tool, and change nothing.")
	f.BoolVar(&c.delete, "delete", false, "Undo it, after asking.")
	f.BoolVar(&c.yes, "yes", false, "Do not ask before --delete.")
	f.BoolVar(&c.wait, "wait", false, "Wait until the load balancer sends traffic to all controllers.")
	f.DurationVar(&c.waitTimeout, "wait-timeout", 5*time.Minute, "The `duration` that --wait waits.")
	f.BoolVar(&c.shared.Create, "create", false, "Also make what the lab takes from its chapter 3.")
	f.BoolVar(&c.shared.Prune, "prune", false, "Also take out instances that are terminated, or that another one of their name has replaced.")
	f.DurationVar(&c.shared.IdleTimeout, "idle-timeout", time.Hour, "The `duration` for which a connection may be quiet, as a watch or logs -f is; more is left as it is, 0 whatever it is.")
	f.DurationVar(&c.shared.Draining, "connection-draining", time.Hour, "The `duration` for which the connections of a controller that is taken out live on; more is left as it is, 0 whatever it is.")
}

// addSharedFlags are those that lb status has, too.
func (c *command) addSharedFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&c.cloud, "cloud", "", "The `cloud`, gcp or aws. (default the one that this machine is on)")
	f.BoolVar(&c.printPolicy, "print-iam-policy", false, "Print the least permissions for these flags, as an IAM policy (aws) or a custom role (gcp).")
	f.StringVar(&c.shared.Region, "region", "", "The cloud's `region`. (default what the cloud's own configuration says)")
	f.StringVar(&c.shared.Type, "type", "", "The `kind` of load balancer: "+c.types()+". (default the first, the lab's)")
	f.StringSliceVar(&c.shared.Instances, "instances", []string{"controller-0", "controller-1", "controller-2"}, "The `names` of the controllers' instances.")
	f.DurationVar(&c.shared.RequestTimeout, "request-timeout", 30*time.Second, "The `duration` that each call of the cloud's API may take before it is made again.")
	f.Int32Var(&c.shared.Port, "port", 6443, "The `port` of the load balancer and the API servers.")
	addProviderFlags(f, c.providers)
}

func (c *command) types() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(c.providers)) {
		all = append(all, name+" "+strings.Join(c.providers[name].types(), ", "))
	}
	return strings.Join(all, "; ")
}

func (c *command) run(cmd *cobra.Command) error {
	if err := c.checkCombination(); err != nil {
		return err
	}
	// What is gone must not come back into rotation after a deletion.
	c.shared.Prune = c.shared.Prune || c.delete
	use := lb.Use{Change: !c.dryRun && !c.printCommands, Delete: c.delete, Health: c.wait}
	return c.with(cmd, use, c.output.String() == formatJSON, func(cloud lb.Cloud, shown *progress) error {
		return c.converge(cmd, cloud, shown)
	})
}

// with opens the cloud for what a run does with it, or prints the permissions that
// this takes. quiet shows nothing but the result.
func (c *command) with(cmd *cobra.Command, use lb.Use, quiet bool, do func(lb.Cloud, *progress) error) error {
	shown := newProgress(cmd.OutOrStdout(), cmd.ErrOrStderr(), quiet)
	shown.start()
	defer shown.close()
	c.shared.Doing = shown.doing
	if err := c.check(cmd.Context()); err != nil {
		return err
	}
	provider := c.providers[c.cloud]
	if err := provider.complete(c.shared); err != nil {
		return err
	}
	if c.printPolicy {
		policy, err := provider.policy(use)
		if err == nil {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(policy))
		}
		return err
	}
	cloud, err := provider.open(cmd.Context())
	if err != nil {
		return err
	}
	return do(cloud, shown)
}

// checkCombination finds flags that exclude each other.
func (c *command) checkCombination() error {
	switch {
	case c.delete && c.wait:
		return cli.Usagef("--delete and --wait exclude each other")
	case c.dryRun && c.wait:
		return cli.Usagef("--dry-run and --wait exclude each other")
	case c.printCommands && (c.dryRun || c.wait || c.yes):
		return cli.Usagef("--print-commands changes nothing and waits for nothing; leave out --dry-run, --wait and --yes")
	case c.printCommands && c.output.String() == formatJSON:
		return cli.Usagef("--print-commands prints lines for a shell; leave out -o json")
	case c.yes && !c.delete:
		return cli.Usagef("--yes goes with --delete only; nothing else is asked")
	}
	return nil
}

// check finds wrong usage before anything is asked, and the cloud.
func (c *command) check(ctx context.Context) error {
	switch {
	case len(c.shared.Instances) == 0 || slices.Contains(c.shared.Instances, ""):
		return cli.Usagef("--instances has to name the controllers, for example controller-0,controller-1,controller-2")
	case c.shared.Port < 1 || c.shared.Port > 65535:
		return cli.Usagef("--port %d is not a port; use one from 1 to 65535", c.shared.Port)
	}
	for i, name := range c.shared.Instances {
		if slices.Contains(c.shared.Instances[:i], name) {
			return cli.Usagef("--instances names %s twice", name)
		}
	}
	if c.cloud == "" {
		c.shared.Tell("the metadata services of AWS and GCP")
		// The address is of no interest here, and no machine's lack of one a failure.
		found, _ := address.Detect(ctx)
		c.cloud = found.Cloud
	}
	chosen, ok := c.providers[c.cloud]
	switch {
	case c.cloud == "":
		return cli.Usagef("neither GCP's nor AWS's metadata service answers here; say --cloud gcp or --cloud aws")
	case !ok:
		return cli.Usagef("--cloud %q is not known; use gcp or aws", c.cloud)
	}
	for name, other := range c.providers {
		if flag := firstChanged(other.flags()); name != c.cloud && flag != "" {
			return cli.Usagef("--%s is for --cloud %s, and this is %s", flag, name, c.cloud)
		}
	}
	if c.shared.Type == "" {
		c.shared.Type = chosen.types()[0]
	}
	if !slices.Contains(chosen.types(), c.shared.Type) {
		return cli.Usagef("--type %q is not known on %s; use one of %s", c.shared.Type, c.cloud, strings.Join(chosen.types(), ", "))
	}
	return nil
}

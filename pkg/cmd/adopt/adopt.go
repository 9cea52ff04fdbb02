// SPDX-License-Identifier: Apache-2.0

// Package adopt is `khw-controller adopt`.
package adopt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/util"
	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/adopt"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// command is what the flags say.
type command struct {
	root                string
	apply, undo, dryRun bool
	anyVersion          bool
	kubeconfig          string
	drain, timeout      time.Duration
	output              *cli.Output
}

const (
	// defaultDrain is twice the interval of the lab's load balancers, and what the last
	// of their checks may take.
	defaultDrain   = 15 * time.Second
	defaultTimeout = 3 * time.Minute
)

// New returns the command.
func New() *cobra.Command {
	c := &command{}
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "Take over a controller that was made by hand after the lab",
		Long: `Read the lab's three units with their drop-ins, nginx's site for health checks and
etcd's unit, say what was understood, and write khw-controller.yaml: the flags
that differ from the lab's, each with the unit that has it, and what the service
needs that is not root. Flags are compared by what they mean to the components;
old spellings are translated, and a flag of the lab's that a unit does not have
is given up. Nothing that is there is overwritten, and files stay where they are.

With --apply it then
  - goes through the lab's verification, to know what works,
  - gives the service's user the files of root's that it needs (their owner only),
  - makes the checks of a start, as the service's user and with its rights,
  - stops and disables kube-scheduler, kube-controller-manager, nginx or its site,
    waits (--drain) until load balancers have seen health checks fail, and stops
    and disables kube-apiserver,
  - enables and starts khw-controller.service, and waits until it is ready,
  - goes through the verification again.
When one of these fails, it goes back by itself and says why. etcd is not touched:
the new control plane uses the same members.

--undo restores the controller as it was before, also long after. What is changed
is recorded in /var/lib/khw-controller.adopt before it is changed: an interrupted
--apply is gone on with by the same command, or gone back from with --undo.

Adopt one controller after the other: while one is taken over, the others serve.

Exit codes: 0 when all is done; 1 when not, and the controller is as it was unless
the message says otherwise; 2 for wrong usage.`,
		Example: `  # What would be written, and what would be done?
  sudo khw-controller adopt --dry-run

  # Write khw-controller.yaml, look at it, and take over
  sudo khw-controller adopt
  sudo khw-controller adopt --apply --kubeconfig admin.kubeconfig

  # Back to the lab's units
  sudo khw-controller adopt --undo

  # Another machine's files, below a directory
  khw-controller adopt --dry-run --root /mnt/controller-0`,
		Args: cli.NoArgs,
	}
	c.output = cli.AddOutput(cmd, "json")
	f := cmd.Flags()
	f.BoolVar(&c.apply, "apply", false, "Put khw-controller in the place of the units.")
	f.BoolVar(&c.undo, "undo", false, "Restore the controller as it was before it was adopted.")
	f.BoolVar(&c.dryRun, "dry-run", false, "Say what was understood and would be written, and change nothing.")
	f.BoolVar(&c.anyVersion, "any-version", false, "Adopt a kube-apiserver that is not of this Kubernetes' minor release or the one before. Kubernetes does not support that.")
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "The admin's kubeconfig `file`, to verify with. (default admin.kubeconfig in /var/lib/kubernetes, here, or at home)")
	f.DurationVar(&c.drain, "drain", defaultDrain, "How long load balancers are given to see that health checks fail, before the apiserver is stopped.")
	f.DurationVar(&c.timeout, "timeout", defaultTimeout, "How long the new control plane may take to be ready, and once more to be verified.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if c.root, err = cli.Root(cmd); err != nil {
			return err
		}
		return c.run(cmd)
	}
	return cmd
}

func (c *command) run(cmd *cobra.Command) error {
	switch {
	case c.apply && c.undo:
		return cli.Usagef("--apply and --undo are one too many")
	case (c.apply || c.undo) && c.dryRun:
		return cli.Usagef("--dry-run goes without --apply and --undo: it says what --apply would do")
	case (c.apply || c.undo) && c.root != "":
		return cli.Usagef("--root: units are started and stopped on this machine only; use --root with --dry-run, or to write khw-controller.yaml below it")
	case c.drain < 0 || c.timeout <= 0:
		return cli.Usagef("--drain has to be 0s or more, and --timeout more than that")
	}
	if c.root != "" || !c.apply && !c.undo && !util.IsRunningSystemd() {
		return c.look(cmd, adopt.Tree{Root: c.root})
	}
	if !util.IsRunningSystemd() {
		return errors.New("adopt: no systemd runs here, whose units could be adopted; --dry-run looks at their files")
	}
	if os.Geteuid() != 0 {
		return errors.New("adopt: takes root: sudo khw-controller adopt")
	}
	systemd, err := adopt.ConnectSystemd(cmd.Context())
	if err != nil {
		return err
	}
	defer systemd.Close()
	if !c.apply && !c.undo {
		return c.look(cmd, systemd)
	}
	return c.change(cmd, systemd)
}

// look reads and says, and writes the config file unless that is not wanted.
func (c *command) look(cmd *cobra.Command, source adopt.Source) error {
	found, err := adopt.Read(cmd.Context(), source, c.root)
	if err != nil {
		return err
	}
	r := report{Controller: found, Path: paths.Config.Below(c.root), Content: string(found.Config)}
	if _, here := source.(*adopt.Systemd); here {
		if r.Version, err = programVersion(cmd.Context(), found); err != nil {
			return err
		}
		if err := adopt.CheckSkew(r.Version, ownVersion()); err != nil {
			found.Notices = append(found.Notices, err.Error())
		}
	}
	if !c.dryRun {
		a := c.adopter(cmd)
		unlock, err := a.Store.Lock()
		if err != nil {
			return err
		}
		defer unlock()
		if err := a.Write(found); err != nil {
			return err
		}
		r.Written = true
	}
	return r.write(cmd.OutOrStdout(), c.output.String())
}

// adopter is what adopts, without what only --apply and --undo need.
func (c *command) adopter(cmd *cobra.Command) *adopt.Adopter {
	told := func(string) {}
	if stderr := cmd.ErrOrStderr(); cli.IsTerminal(stderr) {
		told = func(line string) { fmt.Fprintln(stderr, line) }
	}
	a := &adopt.Adopter{
		Store:      adopt.Store{Dir: paths.Adoption.Below(c.root)},
		ConfigPath: paths.Config.Below(c.root),
		Drain:      c.drain, Timeout: c.timeout, Told: told,
	}
	for _, p := range []paths.Path{paths.Lock, paths.Inventory} {
		a.Own = append(a.Own, p.Below(c.root))
	}
	return a
}

// change adopts or goes back.
func (c *command) change(cmd *cobra.Command, systemd *adopt.Systemd) error {
	ctx := cmd.Context()
	service, err := adopt.ReadService(ctx, systemd, "")
	if err != nil {
		return err
	}
	a := c.adopter(cmd)
	a.Manager = systemd
	if a.UID, err = userID(service.User()); err != nil {
		return err
	}
	unlock, err := a.Store.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	a.Check = func(ctx context.Context, insteadOf []string) (adopt.Findings, error) {
		return check(ctx, service, insteadOf)
	}
	kubeconfig, err := c.findKubeconfig()
	if err != nil && c.apply {
		return err
	}
	a.Verify = func(ctx context.Context, config string) (map[string]string, error) {
		return verify(ctx, service, config, kubeconfig)
	}
	if c.undo {
		if err := a.Undo(ctx); err != nil {
			return err
		}
		return c.done(cmd, "undone", "the controller is as it was before it was adopted")
	}
	var found *adopt.Controller
	state, err := a.Interrupted()
	if err == nil && (state == "" || state == adopt.Written) {
		if found, err = adopt.Read(ctx, systemd, ""); err == nil {
			err = c.versionsFit(ctx, found)
		}
	}
	if err != nil {
		return err
	}
	if err := a.Apply(ctx, found); err != nil {
		return err
	}
	return c.done(cmd, "adopted", "adopted: "+adopt.OwnUnit+" runs this controller; khw-controller adopt --undo goes back")
}

func (c *command) versionsFit(ctx context.Context, found *adopt.Controller) error {
	if c.anyVersion {
		return nil
	}
	theirs, err := programVersion(ctx, found)
	if err != nil {
		return err
	}
	return adopt.CheckSkew(theirs, ownVersion())
}

// done says how it ended.
func (c *command) done(cmd *cobra.Command, state, text string) error {
	if c.output.String() == "json" {
		return cli.WriteJSON(cmd.OutOrStdout(), map[string]string{"state": state})
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

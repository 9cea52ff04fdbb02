// SPDX-License-Identifier: Apache-2.0

// Package init is `khw-controller init`.
package init

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/address"
	"github.com/khw-controller/khw-controller/pkg/bundle"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/controllers"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

// command is what the flags say.
type command struct {
	controllers  []string
	public       []string
	out          string
	perNode      bool
	ca, caKey    string
	algorithm    string
	serviceRange string
	profiles     string
	balancer     string
	iface        string
	dryRun       bool
	output       *cli.Output
}

// toStream is the value of --out for an archive on standard output.
const toStream = "-"

// defaultOut is a directory of its own: among other files, keys would be copied to
// where nobody wants them.
const defaultOut = "khw-bundle"

// New returns the command.
func New() *cobra.Command {
	c := &command{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make what several controllers need before their first start",
		Long: `Make what lab chapters 04 to 06 have you make by hand, for all controllers of a
cluster: a certificate authority, certificates, kubeconfigs, the encryption
configuration, and khw-controller.yaml with the list of the controllers, in which
each of them finds itself by its address or its hostname.

The bundle is one directory (--out) with the lab's file names, the same for every
controller. What is in it goes to /var/lib/kubernetes, and khw-controller.yaml to
/etc/kubernetes/config. With --out-per-node there is a directory for each
controller, with keys of its own for its certificates and kubeconfigs; three
things all controllers have to share: the CA's key, with which each may sign for
kubelets, the key of service account tokens, and the encryption key. With --out -
the bundle is written to standard output as a tar archive.

A bundle that is there is added to: another controller, another public address.
Only the certificate that must change is renewed, and only khw-controller.yaml is
edited, for another --profile too; the old ones stay beside, with a date in their names. Nothing else is
touched, and a bundle of another cluster is refused. What was interrupted is
finished by the same command.

--ca and --ca-key sign with a CA that you have. It may be an intermediate one: it
is then shown with each certificate, so that who trusts the CA above it trusts
that too, while the cluster itself trusts only the one that signs.

Without --controllers, and without a bundle that is there, it is for one
controller, this machine: what run makes by itself on an empty machine.`,
		Example: `  # The lab's three controllers behind a balancer; what would be made?
  khw-controller init --controllers controller-0=10.240.0.10,controller-1=10.240.0.11,controller-2=10.240.0.12 \
    --public-address 203.0.113.10 --dry-run

  # A fourth controller, and a name for the balancer, later
  khw-controller init --controllers controller-3=10.240.0.13 --public-address k8s.example.com

  # A directory for each, signed by a CA of your own
  khw-controller init --controllers a=10.0.0.1,b=10.0.0.2,c=10.0.0.3 --out-per-node --ca ca.pem --ca-key ca-key.pem

  # To a machine that is to keep it, and nowhere else
  khw-controller init --controllers a=10.0.0.1,b=10.0.0.2,c=10.0.0.3 --out - | ssh a sudo tar -xC /var/lib/kubernetes

  # The configuration of a balancer of your own
  khw-controller init --controllers a=10.0.0.1,b=10.0.0.2,c=10.0.0.3 --print haproxy`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd) },
	}
	c.output = cli.AddOutput(cmd, "json")
	f := cmd.Flags()
	f.StringSliceVar(&c.controllers, "controllers", nil, "The controllers, as `name=IP,...`. (default those of the bundle)")
	f.StringSliceVar(&c.public, "public-address", nil, "The `addresses` or DNS names at which the controllers are reached together: a balancer's, a virtual address.")
	f.StringVar(&c.out, "out", defaultOut, "The bundle's `directory`; - for a tar archive on standard output.")
	f.BoolVar(&c.perNode, "out-per-node", false, "Make a directory for each controller below that of --out, with keys of its own.")
	f.StringVar(&c.ca, "ca", "", "The certificate `file` of a CA to sign with, those above it behind it. (default one that is made)")
	f.StringVar(&c.caKey, "ca-key", "", "The key `file` of --ca.")
	f.StringVar(&c.algorithm, "key-algorithm", string(pki.RSA), "The `kind` of keys: rsa, with 2048 bits as in the lab, or ecdsa, on P-256.")
	f.StringVar(&c.serviceRange, "service-cluster-ip-range", "", "The `CIDR` of the services' addresses. (default the bundle's, or the lab's "+bundle.LabServiceRange()+")")
	f.StringVar(&c.profiles, "profile", "", "The `profiles` that khw-controller.yaml is to have: "+strings.Join(profile.Names(), ", ")+", or several with commas. (default those of the bundle)")
	f.StringVar(&c.balancer, "print", "", "Print the configuration of a `balancer` for these controllers, haproxy, keepalived or kube-vip, and make nothing.")
	f.StringVar(&c.iface, "interface", "eth0", "The network `interface` of the controllers, for --print keepalived and kube-vip.")
	f.BoolVar(&c.dryRun, "dry-run", false, "Say what would be made, and make nothing.")
	return cmd
}

func (c *command) run(cmd *cobra.Command) error {
	if root, err := cli.Root(cmd); err != nil || root != "" {
		return cli.Usagef("--root: init writes a bundle, and not to where the control plane looks; use --out")
	}
	list, err := controllers.Parse(c.controllers)
	if err != nil {
		return cli.Usagef("--controllers %w", err)
	}
	profiles, err := profile.Parse(c.profiles)
	if err != nil {
		return cli.Usagef("--profile: %w", err)
	}
	if err := c.checkCombination(cmd); err != nil {
		return err
	}
	if c.balancer != "" {
		return c.print(cmd.OutOrStdout(), list)
	}
	r := bundle.Request{
		Dir: c.out, PerNode: c.perNode, Controllers: list, PublicAddresses: c.public,
		ServiceRange: c.serviceRange, Profiles: profiles, KeyAlgorithm: pki.KeyAlgorithm(c.algorithm),
	}
	if len(list) == 0 && !bundle.Exists(c.out) {
		if r.Controllers, err = thisMachine(cmd.Context()); err != nil {
			return err
		}
	}
	if r.Authority, err = cli.Authority(c.ca, c.caKey); err != nil {
		return cli.UsageError{Err: err}
	}
	if c.out == toStream {
		return c.stream(cmd, r)
	}
	return c.directory(cmd, r)
}

// thisMachine is the list of one controller: where init runs.
func thisMachine(ctx context.Context) (controllers.List, error) {
	name, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming this controller: %w", err)
	}
	found, err := address.Detect(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w; name the controller: --controllers %s=10.240.0.10", err, name)
	}
	list, err := controllers.Parse([]string{strings.ToLower(name) + "=" + found.IP.String()})
	if err != nil {
		return nil, fmt.Errorf("this machine is no controller as it is: %w; name it: --controllers controller-0=10.240.0.10", err)
	}
	return list, nil
}

// checkCombination finds wrong values, and flags that exclude each other.
func (c *command) checkCombination(cmd *cobra.Command) error {
	switch {
	case !slices.Contains(pki.KeyAlgorithms(), pki.KeyAlgorithm(c.algorithm)):
		return cli.Usagef("--key-algorithm %q is not known; use rsa or ecdsa", c.algorithm)
	case (c.ca == "") != (c.caKey == ""):
		return cli.Usagef("--ca and --ca-key go together: the CA's certificate and its key")
	case c.out == "":
		return cli.Usagef("--out is empty; want a directory, or - for an archive")
	case c.out == toStream && (c.dryRun || c.output.String() != "text"):
		return cli.Usagef("--out - writes an archive; leave out --dry-run and -o")
	case c.out == toStream && cli.IsTerminal(cmd.OutOrStdout()):
		return cli.Usagef("--out - writes an archive with keys, and standard output is a terminal; redirect it")
	case c.balancer != "" && (c.dryRun || cmd.Flags().Changed("out") || c.ca != "" || c.output.String() != "text"):
		return cli.Usagef("--print makes nothing; leave out --out, --ca, --dry-run and -o")
	}
	return nil
}

func (c *command) print(w io.Writer, list controllers.List) error {
	config := bundle.BalancerConfig{Controllers: list, Interface: c.iface}
	if len(c.public) > 0 {
		config.Address = c.public[0]
	}
	if err := config.Write(w, bundle.Balancer(c.balancer)); err != nil {
		return cli.UsageError{Err: err}
	}
	return nil
}

func (c *command) stream(cmd *cobra.Command, r bundle.Request) error {
	r.Dir = ""
	now := time.Now()
	b, err := bundle.New(r, now)
	if err != nil {
		return err
	}
	for _, w := range b.Warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
	}
	return b.WriteTar(cmd.OutOrStdout(), now)
}

func (c *command) directory(cmd *cobra.Command, r bundle.Request) error {
	if !c.dryRun {
		finished, err := bundle.Finish(r.Dir)
		if err != nil {
			return err
		}
		if len(finished) > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "finished what was interrupted: %s\n", strings.Join(finished, ", "))
		}
	}
	now := time.Now()
	b, err := bundle.New(r, now)
	if err != nil {
		return err
	}
	if !c.dryRun {
		if err := b.Write(now); err != nil {
			return fmt.Errorf("%s is as it was: %w", r.Dir, err)
		}
	}
	return c.show(cmd.OutOrStdout(), b)
}

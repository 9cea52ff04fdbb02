// SPDX-License-Identifier: Apache-2.0

// Package run is `khw-controller run`.
package run

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/activation"
	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/notify"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/server"
)

// gcPercent has the heap of a process at rest grow by half of what is alive before it
// is collected; at work, Go's own 100 costs less (docs/decisions/0014-memory-and-start.md).
const gcPercent = 50

// New returns the command. It runs until its context ends.
func New() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the control plane in the foreground",
		Long: `Run the control plane in the foreground: etcd (unless --etcd-servers names one),
kube-apiserver, kube-controller-manager and kube-scheduler, with every setting
of the lab's three units, and the lab's health checks over plain HTTP.

Health checks come in on --healthz-bind-address, or on the socket that systemd
passes (khw-controller.socket), whatever that flag says.

Where none of the lab's certificates, kubeconfigs and its encryption
configuration is there, they are made first. Where some are there and others
are not, nothing is made and the missing ones are listed.

A flag beats the config file, and the file beats the lab's value. Each flag
below but --config and --root is a key of the file, without the dashes.

SIGHUP has the config file read again: the log's verbosity is taken over at
once, the manifests in /etc/kubernetes/manifests.d are applied again, and one
log line lists what else has changed and waits for a restart. An invalid file
changes nothing. When the terminal closes that it was started from, it ends in
order as after Ctrl-C, but not under nohup or as a service.`,
		Example: `  # On an empty machine, or on a controller prepared by lab chapters 04 to 07
  sudo khw-controller run

  # On the lab's three external etcd members
  sudo khw-controller run --etcd-servers=https://10.240.0.10:2379,https://10.240.0.11:2379,https://10.240.0.12:2379

  # Any flag of a component, in the lab's spelling or today's
  khw-controller run --kube-apiserver-arg event-ttl=2h --kube-scheduler-arg profiling=false

  # As an ordinary user, everything below one directory
  khw-controller run --root ~/khw --healthz-bind-address 127.0.0.1:8080`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			outliveReaders()
			ctx, end := context.WithCancel(cmd.Context())
			defer end()
			reloads := hangups(ctx, end)
			notifier := notify.Take()
			socket, err := activation.Take()
			if err != nil {
				return err
			}
			next := func() (*plan.Plan, error) { return cli.Plan(cmd, &flags) }
			p, err := awaitAddress(ctx, notifier, next)
			if p == nil || err != nil {
				return err
			}
			if err := p.BypassProxy(); err != nil {
				return err
			}
			if p.HealthSocket = socket; socket != nil && p.Config.HealthzBindAddress == "" {
				return errors.New("systemd passed a socket for health checks, and --healthz-bind-address is empty; " +
					"remove the setting, or systemctl disable --now khw-controller.socket")
			}
			if os.Getenv("GOGC") == "" {
				p.GCPercent = gcPercent
			}
			if os.Getenv("GOMEMLIMIT") == "" {
				p.MemoryLimit = p.GoMemoryLimit()
			}
			return server.Run(ctx, p, notifier, server.Reloads{Requested: reloads, Plan: next})
		},
	}
	flags.AddTo(cmd.Flags())
	return cmd
}

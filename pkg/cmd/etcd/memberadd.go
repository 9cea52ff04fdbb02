// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/types"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/component/etcd"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/controllers"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

func newMemberAdd() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "add NAME[=IP]",
		Short: "Have the cluster expect another controller's member",
		Long: `Have the cluster expect the member of another controller, which is started next:
it joins as a learner, which does not count for the quorum, and votes as soon as
it has caught up. Its address is that of --controllers, unless it is given here.

To make three controllers of one: set controllers with all three everywhere,
restart the first, and then add and start the others, one after the other.

With an external etcd, --peer-urls says where the others reach the new member; the
answer says how it is started there, and it votes after
khw-controller etcd member promote.`,
		Example: `  sudo khw-controller etcd member add controller-1
  sudo khw-controller etcd member add controller-1=10.240.0.11
  sudo khw-controller etcd member add etcd-3 --peer-urls https://10.240.0.13:2380`,
		Args: oneName,
	}
	peerURLs := cmd.Flags().StringSlice("peer-urls", nil, "Where the others reach a new member of an external etcd: `URL,...`")
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withEtcd(cmd, &flags, func(ctx context.Context, s session) error {
			if s.plan.Etcd == nil {
				return s.addExternal(ctx, cmd.OutOrStdout(), args[0], *peerURLs)
			}
			if len(*peerURLs) > 0 {
				return cli.Usagef("--peer-urls is for an external etcd; here, write NAME=IP")
			}
			return s.addController(ctx, cmd.OutOrStdout(), args[0])
		})
	}
	return cmd
}

// addController adds the member of a controller to the embedded etcd.
func (s session) addController(ctx context.Context, told io.Writer, arg string) error {
	c, err := s.controller(arg)
	if err != nil {
		return err
	}
	listed, err := s.MemberList(ctx)
	if err != nil {
		return err
	}
	url := etcd.PeerURL(c)
	for _, m := range listed.Members {
		switch {
		case slices.Contains(m.PeerURLs, url):
			fmt.Fprintf(told, "%s is a member already\n", c)
			return nil
		case strings.Contains(strings.Join(m.PeerURLs, ","), "//127.0.0.1:"):
			return fmt.Errorf("the member %s is reached on its loopback only, so that no other can join it; set --controllers on it, this one and the new one in it, and restart it", m.Name)
		}
	}
	if err := s.change(ctx, func() error { _, err := s.MemberAddAsLearner(ctx, []string{url}); return err }); err != nil {
		return fmt.Errorf("adding %s: %w", c, err)
	}
	fmt.Fprintf(told, "the cluster expects %s; start khw-controller there\n", c)
	return nil
}

// addExternal adds a member to an external etcd, and says how it is started.
func (s session) addExternal(ctx context.Context, told io.Writer, name string, peerURLs []string) error {
	urls, err := types.NewURLs(peerURLs)
	if err != nil || strings.ContainsAny(name, "=,") {
		return cli.Usagef("--etcd-servers: this etcd is not embedded; say where the others will reach the new member: khw-controller etcd member add NAME --peer-urls https://IP:2380")
	}
	listed, err := s.MemberList(ctx)
	if err != nil {
		return err
	}
	members := listed.Members
	known := func(m *etcdserverpb.Member) bool { return slices.Equal(m.PeerURLs, urls.StringSlice()) }
	if !slices.ContainsFunc(members, known) { // else a try before was cut off
		err := s.change(ctx, func() error {
			added, err := s.MemberAddAsLearner(ctx, urls.StringSlice())
			if err == nil {
				members = added.Members
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("adding %s: %w", name, err)
		}
	}
	var cluster []string
	for _, m := range members {
		n := etcdclient.Display(m)
		if known(m) {
			n = name
		}
		for _, u := range m.PeerURLs {
			cluster = append(cluster, n+"="+u)
		}
	}
	slices.Sort(cluster)
	fmt.Fprintf(told, "the cluster expects %s; start etcd there with an empty data directory and\n  --name %s --initial-advertise-peer-urls %s --initial-cluster-state existing --initial-cluster %s\n"+
		"and have it vote: khw-controller etcd member promote %s\n", name, name, urls, strings.Join(cluster, ","), name)
	return nil
}

// controller reads the argument of add.
func (s session) controller(arg string) (controllers.Controller, error) {
	if strings.Contains(arg, "=") {
		parsed, err := controllers.Parse([]string{arg})
		if err != nil {
			return controllers.Controller{}, cli.UsageError{Err: err}
		}
		return parsed[0], nil
	}
	for _, c := range s.plan.Controllers {
		if c.Name == arg {
			return c, nil
		}
	}
	return controllers.Controller{}, cli.Usagef("%s is not in --controllers; add it there, or say at which address it is: %s=IP", arg, arg)
}

func newMemberPromote() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "promote NAME|ID",
		Short: "Have a learner vote",
		Long: `Have a member vote that was added to an external etcd, once it has caught up. A
controller's own member does so by itself.`,
		Example: `  sudo khw-controller etcd member promote etcd-3`,
		Args:    oneName,
	}
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withEtcd(cmd, &flags, func(ctx context.Context, s session) error {
			m, _, err := s.member(ctx, args[0])
			if err != nil {
				return err
			}
			if !m.IsLearner {
				fmt.Fprintf(cmd.OutOrStdout(), "%s votes already\n", etcdclient.Display(m))
				return nil
			}
			if err := s.promote(ctx, m.ID); err != nil {
				return fmt.Errorf("promoting %s: %w", etcdclient.Display(m), err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s votes\n", etcdclient.Display(m))
			return nil
		})
	}
	return cmd
}

// promote has a learner vote as soon as it has caught up.
func (s session) promote(ctx context.Context, id uint64) error {
	fix := fmt.Sprintf(": it does not run, or has not caught up within %s; see khw-controller etcd endpoint status", callTimeout)
	return again(ctx, rpctypes.ErrMemberLearnerNotReady, fix, func() error {
		return s.change(ctx, func() error { _, err := s.MemberPromote(ctx, id); return err })
	})
}

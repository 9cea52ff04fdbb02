// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// callTimeout is what a change of the cluster may take.
const callTimeout = 15 * time.Second

func newMember() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "member",
		Short: "List, add, promote and remove members of etcd's cluster",
		Args:  cli.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMemberList(), newMemberAdd(), newMemberPromote(), newMemberRemove())
	return cmd
}

// session is a command's hold on a running etcd.
type session struct {
	*clientv3.Client
	plan *plan.Plan
}

// withEtcd calls do with a client of the etcd in use.
func withEtcd(cmd *cobra.Command, flags *config.Flags, do func(context.Context, session) error) error {
	p, err := cli.Plan(cmd, flags)
	if err != nil {
		return err
	}
	defer p.Close()
	var problem error
	for _, endpoint := range p.EtcdAccess.Endpoints {
		if wrong := p.EtcdAccess.Check(cmd.Context(), endpoint); wrong != nil {
			problem = fmt.Errorf("%w; %s", wrong, wrong.Fix)
			continue
		}
		client, err := p.EtcdAccess.Client(cmd.Context(), endpoint)
		if err != nil {
			return err
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(cmd.Context(), callTimeout)
		defer cancel()
		return do(ctx, session{client, p})
	}
	return problem
}

// change makes a change of the cluster. etcd refuses one until all that are needed
// for a quorum have been connected for five seconds (server/v3/etcdserver,
// HealthInterval), so that it is asked again after the last change.
func (s session) change(ctx context.Context, do func() error) error {
	return again(ctx, rpctypes.ErrUnhealthy, "; khw-controller status says which members do not answer", do)
}

// again does something every second for as long as it fails with this error, and
// says what to do when that lasts too long.
func again(ctx context.Context, while error, fix string, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, while) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w%s", err, fix)
		case <-time.After(time.Second):
		}
	}
}

// member returns the member of that name or id, and the id of the one that was asked.
func (s session) member(ctx context.Context, name string) (m *etcdserverpb.Member, asked uint64, err error) {
	listed, err := s.MemberList(ctx)
	if err != nil {
		return nil, 0, err
	}
	m, err = find(listed.Members, name)
	return m, listed.Header.MemberId, err
}

// find returns the member of that name or id.
func find(members []*etcdserverpb.Member, name string) (*etcdserverpb.Member, error) {
	var known []string
	for _, m := range members {
		if m.Name == name || fmt.Sprintf("%x", m.ID) == name || slices.Contains(m.PeerURLs, name) {
			return m, nil
		}
		known = append(known, etcdclient.Display(m))
	}
	slices.Sort(known)
	return nil, fmt.Errorf("%s is no member; there are %s", name, strings.Join(known, ", "))
}

func newMemberList() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the members",
		Long:  "List the members of etcd's cluster. Who leads, and how they are doing, is in khw-controller etcd endpoint status.",
		Args:  cli.NoArgs,
	}
	output := cli.AddOutput(cmd, "json")
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withEtcd(cmd, &flags, func(ctx context.Context, s session) error {
			listed, err := s.MemberList(ctx)
			if err != nil {
				return err
			}
			slices.SortFunc(listed.Members, func(a, b *etcdserverpb.Member) int { return strings.Compare(a.Name, b.Name) })
			if output.String() == "json" {
				return cli.WriteJSON(cmd.OutOrStdout(), described(listed.Members))
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tID\tROLE\tPEER URL\tCLIENT URL")
			for _, m := range described(listed.Members) {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", m.Name, m.ID, m.Role, strings.Join(m.PeerURLs, ","), strings.Join(m.ClientURLs, ","))
			}
			return table.Flush()
		})
	}
	return cmd
}

// role is what a member may do in its cluster.
type role string

const (
	voter   role = "voter"
	learner role = "learner" // does not vote yet
	added   role = "added"   // has not started yet
)

// description is a member as it is listed.
type description struct {
	Name       string   `json:"name"`
	ID         string   `json:"id"`
	Role       role     `json:"role"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

func described(members []*etcdserverpb.Member) []description {
	all := []description{}
	for _, m := range members {
		d := description{etcdclient.Display(m), fmt.Sprintf("%x", m.ID), voter, m.PeerURLs, append([]string{}, m.ClientURLs...)}
		switch {
		case m.Name == "":
			d.Role = added
		case m.IsLearner:
			d.Role = learner
		}
		all = append(all, d)
	}
	return all
}

func newMemberRemove() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "remove NAME|ID",
		Short: "Remove a member from the cluster",
		Long: `Remove a member from the cluster: of a machine that is gone, or whose data are
damaged. Its data are of no use from then on. etcd refuses what would cost the
cluster its quorum.`,
		Args: oneName,
	}
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withEtcd(cmd, &flags, func(ctx context.Context, s session) error {
			m, asked, err := s.member(ctx, args[0])
			if err != nil {
				return err
			}
			// Of an external etcd it is any that was asked.
			if s.plan.Etcd != nil && m.ID == asked {
				return fmt.Errorf("%s is this controller's own member; remove it from another controller", etcdclient.Display(m))
			}
			if err := s.change(ctx, func() error { _, err := s.MemberRemove(ctx, m.ID); return err }); err != nil {
				return fmt.Errorf("removing %s: %w", etcdclient.Display(m), err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "removed %s\n", etcdclient.Display(m))
			return nil
		})
	}
	return cmd
}

// oneName wants a member for the only argument.
var oneName = one("member", "khw-controller etcd member list")

// one wants one argument, of a kind that a command lists.
func one(kind, lists string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return cli.Usagef("%s takes one %s; %s lists them", cmd.CommandPath(), kind, lists)
		}
		return nil
	}
}

// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

func newMoveLeader() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "move-leader [NAME]",
		Short: "Have another member lead",
		Long: `Have another member lead, before its machine is taken down for instance: the one
that is named, or any that answers.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.Usagef("%s takes one member at most", cmd.CommandPath())
			}
			return nil
		},
	}
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withEtcd(cmd, &flags, func(ctx context.Context, s session) error {
			from, to, err := s.moveLeader(ctx, args)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s leads, before %s did\n", to, from)
			return nil
		})
	}
	return cmd
}

// moveLeader has a member lead and returns who did and who does.
func (s session) moveLeader(ctx context.Context, args []string) (from, to string, err error) {
	listed, err := s.MemberList(ctx)
	if err != nil {
		return "", "", err
	}
	status, err := s.Status(ctx, s.Endpoints()[0])
	if err != nil {
		return "", "", err
	}
	leader, err := find(listed.Members, fmt.Sprintf("%x", status.Leader))
	if err != nil {
		return "", "", fmt.Errorf("there is no leader: %w", err)
	}
	target, err := s.target(ctx, listed.Members, leader, args)
	if err != nil {
		return "", "", err
	}
	if target.ID == leader.ID {
		return etcdclient.Display(leader), etcdclient.Display(leader), nil
	}
	// Only the leader gives it away.
	client, err := s.plan.EtcdAccess.Client(ctx, leader.ClientURLs...)
	if err != nil {
		return "", "", err
	}
	defer client.Close()
	if _, err := client.MoveLeader(ctx, target.ID); err != nil {
		return "", "", fmt.Errorf("having %s lead: %w", etcdclient.Display(target), err)
	}
	return etcdclient.Display(leader), etcdclient.Display(target), nil
}

// target is who is to lead.
func (s session) target(ctx context.Context, members []*etcdserverpb.Member, leader *etcdserverpb.Member, args []string) (*etcdserverpb.Member, error) {
	if len(args) == 1 {
		m, err := find(members, args[0])
		if err == nil && m.IsLearner {
			err = fmt.Errorf("%s is a learner, and cannot lead", etcdclient.Display(m))
		}
		return m, err
	}
	for _, m := range members {
		if m.ID == leader.ID || m.IsLearner || len(m.ClientURLs) == 0 {
			continue
		}
		if s.plan.EtcdAccess.Check(ctx, m.ClientURLs[0]) == nil {
			return m, nil
		}
	}
	return nil, errors.New("no other member answers that could lead")
}

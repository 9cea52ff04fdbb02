// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/defrag"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

func newDefrag() *cobra.Command {
	var flags config.Flags
	cmd := &cobra.Command{
		Use:   "defrag",
		Short: "Give back the space that etcd's database does not need",
		Long: `Defragment etcd's members, one after the other, the leader last: what was deleted
is given back to the disk. A member answers nothing while it is defragmented,
about a second for 100 MB; with one member, neither does the apiserver.

With --clear-alarms an etcd that ran out of its quota (the alarm NOSPACE: it
takes deletions only) is first compacted to what is there now, and the alarm is
cleared once the database of every member is smaller than the quota. Where it is
not, delete what is not needed and do it again, or raise the quota
(--etcd-arg quota-backend-bytes). Until then etcd takes deletions only: pods go
with kubectl delete --grace-period=0 --force, and namespaces and objects with
finalizers have to wait. The alarm CORRUPT is never cleared.`,
		Example: `  sudo khw-controller etcd defrag
  sudo khw-controller etcd defrag --clear-alarms`,
		Args: cli.NoArgs,
	}
	output := cli.AddOutput(cmd, "json")
	clearAlarms := cmd.Flags().Bool("clear-alarms", false, "Compact first, and clear the alarm NOSPACE where there is space again.")
	dryRun := cmd.Flags().Bool("dry-run", false, "Say in which order, and change nothing.")
	flags.AddTo(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withEtcd(cmd, &flags, func(_ context.Context, s session) error {
			// A big database takes longer than a change of the cluster.
			ctx, told := cmd.Context(), cmd.OutOrStdout()
			if output.String() == "json" {
				told = io.Discard
			}
			all, err := s.members(ctx)
			switch {
			case err != nil:
			case *dryRun:
				for _, m := range all {
					fmt.Fprintf(told, "%s: %s, of which %s are in use\n", m.Member, defrag.Megabytes(m.Before), defrag.Megabytes(m.InUse))
				}
			default:
				err = s.defragment(ctx, all, *clearAlarms, told)
			}
			if output.String() == "json" {
				return errors.Join(err, cli.WriteJSON(cmd.OutOrStdout(), map[string]any{"members": all}))
			}
			return err
		})
	}
	return cmd
}

// members returns the members in the order in which they are defragmented. One that
// does not answer is an error: the others would be one less meanwhile.
func (s session) members(ctx context.Context) ([]*defrag.Member, error) {
	all, err := defrag.Members(ctx, s.Client, s.plan.EtcdAccess)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if m.Err != nil {
			return nil, fmt.Errorf("nothing is done: %w", m.Err)
		}
	}
	return all, nil
}

// defragment does so with one member after the other, and clears the alarm when it
// is told to.
func (s session) defragment(ctx context.Context, all []*defrag.Member, clearAlarms bool, told io.Writer) error {
	ctx, release, err := defrag.Lock(ctx, s.Client)
	if err != nil {
		return err
	}
	defer release()
	var raised []*etcdserverpb.AlarmMember
	if clearAlarms {
		if raised, err = s.compact(ctx, told); err != nil {
			return err
		}
	}
	done := "none"
	for i, m := range all {
		if err := m.Defragment(ctx, s.plan.EtcdAccess); err != nil {
			return fmt.Errorf("defragmenting %s: %w; done before: %s", m.Member, err, done)
		}
		if i == 0 {
			done = m.Member
		} else {
			done += ", " + m.Member
		}
		fmt.Fprintf(told, "%s: %s, before %s\n", m.Member, defrag.Megabytes(m.After), defrag.Megabytes(m.Before))
	}
	return s.clear(ctx, raised, all, told)
}

// compact returns the alarms NOSPACE, and where there are any, compacts to what is
// there now: every older revision takes space.
func (s session) compact(ctx context.Context, told io.Writer) ([]*etcdserverpb.AlarmMember, error) {
	alarms, err := s.AlarmList(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for alarms: %w", err)
	}
	var raised []*etcdserverpb.AlarmMember
	for _, a := range alarms.Alarms {
		if a.Alarm == etcdserverpb.AlarmType_NOSPACE {
			raised = append(raised, a)
		} else {
			fmt.Fprintf(told, "the alarm %s of the member %x stays: %s\n", a.Alarm, a.MemberID, etcdclient.AlarmFix(a.Alarm.String()))
		}
	}
	if len(raised) == 0 {
		return nil, nil
	}
	now, err := s.Get(ctx, "health", clientv3.WithCountOnly())
	if err != nil {
		return nil, err
	}
	// With nothing written since, an earlier try has compacted to it already.
	if _, err := s.Compact(ctx, now.Header.Revision, clientv3.WithCompactPhysical()); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return nil, fmt.Errorf("compacting to revision %d: %w", now.Header.Revision, err)
	}
	return raised, nil
}

// clear clears alarms where every database is smaller than its quota.
func (s session) clear(ctx context.Context, raised []*etcdserverpb.AlarmMember, all []*defrag.Member, told io.Writer) error {
	if len(raised) == 0 {
		return nil
	}
	for _, m := range all {
		if m.Quota <= 0 {
			continue
		}
		fmt.Fprintf(told, "%s: %s of its quota of %s are in use\n", m.Member, defrag.Megabytes(m.After), defrag.Megabytes(m.Quota))
		if m.After >= m.Quota {
			return fmt.Errorf("%s still has %s and a quota of %s, so the alarm stays: delete what is not needed and do this again, or raise --etcd-arg quota-backend-bytes",
				m.Member, defrag.Megabytes(m.After), defrag.Megabytes(m.Quota))
		}
	}
	for _, a := range raised {
		if _, err := s.AlarmDisarm(ctx, &clientv3.AlarmMember{MemberID: a.MemberID, Alarm: a.Alarm}); err != nil {
			return fmt.Errorf("clearing the alarm %s: %w", a.Alarm, err)
		}
	}
	fmt.Fprintln(told, "the alarm NOSPACE is cleared: etcd takes writes again")
	return nil
}

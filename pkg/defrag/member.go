// SPDX-License-Identifier: Apache-2.0

// Package defrag gives back to the disk what etcd's databases do not need: the
// members one after the other, the leader last, and one such round at a time in a
// cluster. The command asks for it, and a schedule has the embedded members done
// where that gains.
package defrag

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// Member is a member and the size of its database in bytes: before, what of it is
// in use, and after it was defragmented.
type Member struct {
	Member string `json:"member"`
	Before int64  `json:"before"`
	InUse  int64  `json:"inUse"`
	After  int64  `json:"after,omitempty"`

	// Quota is what its database may grow to, as of its defragmentation.
	Quota int64 `json:"-"`
	// Err is why it does not answer, or nil.
	Err error `json:"-"`

	endpoint string
	leads    bool
	learner  bool
}

// Members returns the members in the order in which they are defragmented.
func Members(ctx context.Context, client *clientv3.Client, access etcdclient.Config) ([]*Member, error) {
	listed, err := client.MemberList(ctx)
	if err != nil {
		return nil, err
	}
	var all []*Member
	for _, m := range listed.Members {
		all = append(all, look(ctx, access, m))
	}
	slices.SortFunc(all, func(a, b *Member) int { return strings.Compare(a.Member, b.Member) })
	if i := slices.IndexFunc(all, func(m *Member) bool { return m.leads }); i >= 0 {
		all = append(slices.Delete(slices.Clone(all), i, i+1), all[i])
	}
	return all, nil
}

// look asks one member how it is.
func look(ctx context.Context, access etcdclient.Config, m *etcdserverpb.Member) *Member {
	out := &Member{Member: etcdclient.Display(m), learner: m.IsLearner}
	if len(m.ClientURLs) == 0 {
		out.Err = fmt.Errorf("the member %s has not started yet; start it, or remove it with khw-controller etcd member remove", out.Member)
		return out
	}
	out.endpoint = m.ClientURLs[0]
	status, err := statusOf(ctx, access, out.endpoint)
	if err != nil {
		p := access.Explain(out.endpoint, err)
		out.Err = fmt.Errorf("the member %s does not answer: %w; %s", out.Member, p, p.Fix)
		return out
	}
	out.Before, out.InUse, out.leads = status.DbSize, status.DbSizeInUse, status.Leader == m.ID
	if status.Leader == 0 {
		out.Err = fmt.Errorf("the member %s knows no leader; more than half of the members have to be up", out.Member)
	}
	return out
}

// answerTimeout is what a member may take to say how it is.
const answerTimeout = 10 * time.Second

func statusOf(ctx context.Context, access etcdclient.Config, endpoint string) (*clientv3.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	// A client would try for as long as it may.
	if err := access.Dial(ctx, endpoint); err != nil {
		return nil, err
	}
	client, err := access.Client(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Status(ctx, endpoint)
}

// slowest is how many bytes a second a defragmentation comes to at least.
const slowest = 10 << 20

// Defragment has the member defragmented, which answers nothing meanwhile.
func (m *Member) Defragment(ctx context.Context, access etcdclient.Config) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(m.Before/slowest)*time.Second)
	defer cancel()
	client, err := access.Client(ctx, m.endpoint)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.Defragment(ctx, m.endpoint); err != nil {
		return err
	}
	status, err := statusOf(ctx, access, m.endpoint)
	if err != nil {
		return err
	}
	m.After, m.Quota = status.DbSize, status.DbSizeQuota
	return nil
}

// Megabytes is a size as people read it.
func Megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

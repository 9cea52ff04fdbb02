// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// askTimeout is what one member may take to answer one question of an Observer.
const askTimeout = time.Second

// Observer watches the members of a cluster.
type Observer struct {
	config Config

	mu      sync.Mutex
	history map[string][]sample // by endpoint, oldest first
}

// NewObserver returns the Observer of the cluster behind c.
func NewObserver(c Config) *Observer {
	return &Observer{config: c, history: map[string][]sample{}}
}

// Observe asks every member how it is, all at once, in less than 3 s. A member
// that does not answer says so in its Error; an error means that not even the
// list of members could be had.
func (o *Observer) Observe(ctx context.Context) ([]Member, error) {
	client, err := o.config.Client(ctx)
	if err != nil {
		return nil, fmt.Errorf("reaching etcd with the apiserver's certificate: %w", err)
	}
	defer client.Close()
	listed, alarms, err := list(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("no member answers at %s: %w", strings.Join(o.config.Endpoints, ", "), err)
	}
	members := make([]Member, len(listed))
	indexes := make([]uint64, len(listed))
	var wg sync.WaitGroup
	for i, m := range listed {
		wg.Go(func() { members[i], indexes[i] = o.ask(ctx, client, m, alarms[m.ID]) })
	}
	wg.Wait()
	committed := slices.Max(append(indexes, 0))
	for i := range members {
		if applied := members[i].Behind; applied > 0 {
			members[i].Behind = committed - min(committed, applied)
		}
	}
	return members, nil
}

// list returns the members as any of them knows them, quorum or not, and their
// alarms.
func list(ctx context.Context, client *clientv3.Client) ([]*pb.Member, map[uint64][]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	listed, err := client.MemberList(ctx, clientv3.WithSerializable())
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(listed.Members, func(a, b *pb.Member) int { return strings.Compare(a.Name, b.Name) })
	alarms := map[uint64][]string{}
	// Alarms are read through the quorum; without one that is what is told.
	if raised, err := client.AlarmList(ctx); err == nil {
		for _, a := range raised.Alarms {
			alarms[a.MemberID] = append(alarms[a.MemberID], a.Alarm.String())
		}
	}
	return listed.Members, alarms, nil
}

// ask returns how one member is, with its applied index in Behind, and the index
// that it knows to be committed.
func (o *Observer) ask(ctx context.Context, client *clientv3.Client, m *pb.Member, alarms []string) (Member, uint64) {
	out := Member{Name: m.Name, Learner: m.IsLearner, Alarms: alarms}
	if out.Name == "" {
		out.Name = fmt.Sprintf("%x", m.ID)
	}
	if len(m.ClientURLs) == 0 {
		out.Error = "has not started yet"
		return out, 0
	}
	out.Endpoint = m.ClientURLs[0]
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	s, err := client.Status(ctx, out.Endpoint)
	if err != nil {
		out.Error = "does not answer at " + out.Endpoint
		return out, 0
	}
	out.Version, out.Leader = s.Version, s.Leader == m.ID
	out.DBSize, out.DBInUse, out.Quota = s.DbSize, s.DbSizeInUse, s.DbSizeQuota
	out.Behind = s.RaftAppliedIndex
	if s.Leader == 0 {
		out.Error = "knows no leader; more than half of the members have to be up"
	}
	out.FsyncP99, out.FsyncWindow = o.fsync(ctx, out.Endpoint)
	return out, s.RaftIndex
}

// fsync returns within how many seconds 99 of 100 writes of a member's log
// reached its disk, and for how many seconds that holds.
func (o *Observer) fsync(ctx context.Context, endpoint string) (p99, window float64) {
	config, err := o.config.TLS()
	if err != nil {
		return 0, 0
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	now, err := scrape(ctx, &http.Client{Transport: transport}, endpoint+"/metrics")
	if err != nil {
		return 0, 0 // its metrics may be elsewhere, by --listen-metrics-urls
	}
	before := o.remember(endpoint, now)
	return quantile(0.99, now.since(before)), now.at.Sub(before.at).Seconds()
}

// remembered is how far back the history goes.
const remembered = 5 * time.Minute

// remember adds a sample to the history and returns the oldest one that is not
// too old; the member's start, where there is none.
func (o *Observer) remember(endpoint string, now sample) sample {
	o.mu.Lock()
	defer o.mu.Unlock()
	kept := slices.DeleteFunc(o.history[endpoint], func(s sample) bool {
		return now.at.Sub(s.at) > remembered || !s.started.Equal(now.started)
	})
	o.history[endpoint] = append(kept, now)
	if len(kept) == 0 {
		return sample{at: now.started}
	}
	return kept[0]
}

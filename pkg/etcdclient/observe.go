// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// askTimeout is what a member may take to answer one question of an Observer. One
// that takes longer is of no use to the apiserver either.
const askTimeout = 3 * time.Second

// ObserveTimeout is within which Observe returns.
const ObserveTimeout = 3*askTimeout + 2*dialTimeout

// dialTimeout is what finding out may take why a member does not answer.
const dialTimeout = time.Second

// Observer watches the members of a cluster. It has to be closed.
type Observer struct {
	config Config
	conns  conns

	mu      sync.Mutex
	history map[string][]sample // by endpoint, oldest first
}

// NewObserver returns the Observer of the cluster behind c.
func NewObserver(c Config) *Observer {
	return &Observer{config: c, conns: conns{config: c, open: map[string]*clientv3.Client{}}, history: map[string][]sample{}}
}

// Close closes the Observer's connections.
func (o *Observer) Close() { o.conns.close() }

// Observe asks every member how it is, all at once, within ObserveTimeout. A
// member that does not answer says why in its Error; an error means that not even
// the list of members could be had.
func (o *Observer) Observe(ctx context.Context) ([]Member, error) {
	from, listed, err := o.list(ctx)
	if err != nil {
		return nil, err
	}
	members := make([]Member, len(listed))
	indexes := make([]uint64, len(listed))
	var alarms map[uint64][]string
	var wg sync.WaitGroup
	wg.Go(func() { alarms = o.alarms(ctx, from) })
	for i, m := range listed {
		wg.Go(func() { members[i], indexes[i] = o.ask(ctx, m) })
	}
	wg.Wait()
	committed := slices.Max(append(indexes, 0))
	for i := range members {
		members[i].Alarms = alarms[listed[i].ID]
		if applied := members[i].Behind; applied > 0 {
			members[i].Behind = committed - min(committed, applied)
		}
	}
	return members, nil
}

// list asks all endpoints at once and returns the members as the first that
// answers knows them, quorum or not, and which one that is.
func (o *Observer) list(ctx context.Context) (endpoint string, members []*pb.Member, err error) {
	type answer struct {
		endpoint string
		members  []*pb.Member
		err      error
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout+dialTimeout)
	defer cancel()
	answers := make(chan answer, len(o.config.Endpoints))
	for _, endpoint := range o.config.Endpoints {
		go func() {
			a := answer{endpoint: endpoint}
			a.err = o.call(ctx, endpoint, func(ctx context.Context, conn *grpc.ClientConn) error {
				listed, err := pb.NewClusterClient(conn).MemberList(ctx, &pb.MemberListRequest{})
				a.members = listed.GetMembers()
				return err
			})
			answers <- a
		}()
	}
	var wrong []string
	for range o.config.Endpoints {
		a := <-answers
		if a.err == nil {
			slices.SortFunc(a.members, func(a, b *pb.Member) int { return strings.Compare(a.Name, b.Name) })
			return a.endpoint, a.members, nil
		}
		wrong = append(wrong, a.err.Error())
	}
	slices.Sort(wrong)
	return "", nil, fmt.Errorf("no member answers: %s", strings.Join(slices.Compact(wrong), "; "))
}

// call puts a question to an endpoint, within askTimeout, and returns why there is
// no answer: in words that begin with the endpoint.
func (o *Observer) call(ctx context.Context, endpoint string, question func(context.Context, *grpc.ClientConn) error) error {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err := o.conns.call(asking, endpoint, func(conn *grpc.ClientConn) error { return question(asking, conn) })
	if err == nil {
		return nil
	}
	if file := (*Problem)(nil); errors.As(err, &file) {
		return file
	}
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if dialErr := o.config.Dial(dialing, endpoint); dialErr != nil {
		_, words := connerr.Explain(dialErr)
		return fmt.Errorf("%s %s", endpoint, words)
	}
	if reason, words := connerr.Explain(err); reason != connerr.NoAnswer {
		return fmt.Errorf("%s %s", endpoint, words)
	}
	return fmt.Errorf("%s takes connections and does not answer within %s: it is slow, or hangs", endpoint, askTimeout)
}

// alarms returns the alarms by member. They are read through the quorum; without
// one that is what is told, by every member.
func (o *Observer) alarms(ctx context.Context, endpoint string) map[uint64][]string {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	alarms := map[uint64][]string{}
	client, _, err := o.conns.get(endpoint)
	if err != nil {
		return alarms
	}
	raised, err := pb.NewMaintenanceClient(client.ActiveConnection()).Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_GET})
	if err != nil {
		return alarms
	}
	for _, a := range raised.Alarms {
		alarms[a.MemberID] = append(alarms[a.MemberID], a.Alarm.String())
	}
	return alarms
}

// ask returns how one member is, with its applied index in Behind, and the index
// that it knows to be committed.
func (o *Observer) ask(ctx context.Context, m *pb.Member) (Member, uint64) {
	out := Member{Name: Display(m), Learner: m.IsLearner}
	if len(m.ClientURLs) == 0 {
		out.Error = "has not started yet"
		return out, 0
	}
	out.Endpoint = m.ClientURLs[0]
	var s *pb.StatusResponse
	err := o.call(ctx, out.Endpoint, func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		s, err = pb.NewMaintenanceClient(conn).Status(ctx, &pb.StatusRequest{})
		return err
	})
	if err != nil {
		out.Error = err.Error()
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
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
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

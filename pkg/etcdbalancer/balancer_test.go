// SPDX-License-Identifier: Apache-2.0

package etcdbalancer

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// kv is a member that counts what it is asked, and hangs while it is frozen: its
// kernel takes connections all the same.
type kv struct {
	pb.UnimplementedKVServer
	pb.UnimplementedWatchServer
	asked   atomic.Int64
	watches atomic.Int64

	mu     sync.Mutex
	frozen chan struct{} // nil while it answers
}

func (s *kv) Range(_ context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	s.mu.Lock()
	frozen := s.frozen
	s.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
	if string(r.Key) == "key" {
		s.asked.Add(1)
	}
	return &pb.RangeResponse{Header: &pb.ResponseHeader{}}, nil
}

// Watch refuses, as a member does that knows no leader.
func (s *kv) Watch(pb.Watch_WatchServer) error {
	s.watches.Add(1)
	return rpctypes.ErrGRPCNoLeader
}

func (s *kv) freeze() (thaw func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = make(chan struct{})
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.frozen)
		s.frozen = nil
	})
}

// members starts some, and returns where they are reached.
func members(t *testing.T, n int) (all []*kv, endpoints []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		member, s := &kv{}, grpc.NewServer()
		pb.RegisterKVServer(s, member)
		pb.RegisterWatchServer(s, member)
		go func() { _ = s.Serve(l) }()
		t.Cleanup(s.Stop)
		all, endpoints = append(all, member), append(endpoints, "http://"+l.Addr().String())
	}
	return all, endpoints
}

// balanced returns a client whose connections b balances, as the apiserver's are.
func balanced(t *testing.T, b *Balancer, endpoints []string) *clientv3.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	eventually(t, "the balancer to be in use", func() bool { return inUse.Load() == b })
	client, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return b.Dial(ctx, "tcp", address)
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// get asks n times.
func get(t *testing.T, client *clientv3.Client, n int) {
	t.Helper()
	for range n {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := client.Get(ctx, "key")
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRequestsGoToMembersThatAnswer(t *testing.T) {
	all, endpoints := members(t, 3)
	b := New(etcdclient.Config{Endpoints: endpoints})
	client := balanced(t, b, endpoints)
	asked := func(i int) int64 { return all[i].asked.Load() }
	eventually(t, "all of them to be asked", func() bool {
		get(t, client, 3)
		return asked(0) > 0 && asked(1) > 0 && asked(2) > 0
	})

	thaw := all[1].freeze()
	defer thaw()
	get(t, client, 30) // those that hang on the frozen one are put to another
	eventually(t, "the frozen one to be left out", b.byAddress[endpoints[1][len("http://"):]].left.Load)
	get(t, client, 30)
	thaw()
	before := asked(1)
	eventually(t, "it to be asked again", func() bool {
		get(t, client, 3)
		return asked(1) > before+3 // more than those that hung
	})
}

func TestTheMachinesOwnMemberIsAskedFirst(t *testing.T) {
	all, endpoints := members(t, 3)
	b := New(etcdclient.Config{Endpoints: endpoints})
	client := balanced(t, b, endpoints)
	for _, m := range b.byAddress {
		eventually(t, "it to be known where they are", m.own.Load)
	}
	eventually(t, "all of them to be connected", func() bool {
		get(t, client, 3)
		return all[0].asked.Load() > 0 && all[1].asked.Load() > 0 && all[2].asked.Load() > 0
	})
	own := b.byAddress[endpoints[2][len("http://"):]]
	for _, m := range b.byAddress {
		m.own.Store(m == own)
	}
	before := []int64{all[0].asked.Load(), all[1].asked.Load()}
	get(t, client, 30)
	if n := all[0].asked.Load() - before[0] + all[1].asked.Load() - before[1]; n != 0 {
		t.Errorf("%d of 30 are put to others", n)
	}
	defer all[2].freeze()()
	get(t, client, 30)
	if all[0].asked.Load() == before[0] || all[1].asked.Load() == before[1] {
		t.Error("the others are not asked when it is frozen")
	}
}

func TestWatchesAreHeldBackWhileNobodyAnswers(t *testing.T) {
	all, endpoints := members(t, 3)
	b := New(etcdclient.Config{Endpoints: endpoints})
	client := balanced(t, b, endpoints)
	watches := func() int64 { return all[0].watches.Load() + all[1].watches.Load() + all[2].watches.Load() }
	watch := func(ctx context.Context) {
		for range client.Watch(ctx, "key") {
		}
	}
	get(t, client, 3)
	watch(t.Context())
	if watches() == 0 {
		t.Fatal("no member is asked for the watch")
	}
	var thaws []func()
	for _, m := range all {
		thaws = append(thaws, m.freeze())
		defer thaws[len(thaws)-1]()
	}
	eventually(t, "it to be known that nobody answers", b.clusters[0].silent.Load)
	before := watches()
	done := make(chan struct{})
	go func() { defer close(done); watch(t.Context()) }()
	gone, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	watch(gone) // who does not wait any longer is not kept
	if n := watches() - before; n != 0 {
		t.Errorf("%d watches reach members that cannot have any", n)
	}
	for _, thaw := range thaws {
		thaw()
	}
	eventually(t, "the watch to go on", func() bool { return watches() > before })
	<-done
}

func TestOtherConnectionsAreBalancedAsEver(t *testing.T) {
	known, endpoints := members(t, 2)
	strangers, others := members(t, 2)
	b := New(etcdclient.Config{Endpoints: endpoints})
	client := balanced(t, b, others)
	for _, m := range b.byAddress {
		eventually(t, "it to be known where they are", m.own.Load)
	}
	eventually(t, "both to be asked", func() bool {
		get(t, client, 2)
		return strangers[0].asked.Load() > 0 && strangers[1].asked.Load() > 0
	})
	if known[0].asked.Load()+known[1].asked.Load() > 0 {
		t.Error("members of another cluster are asked")
	}
}

func TestNew(t *testing.T) {
	for name, tt := range map[string]struct {
		endpoints []string
		others    [][]string
		members   int // 0: there is nothing to choose
	}{
		"three members":                     {[]string{"https://10.240.0.10:2379", "https://10.240.0.11:2379", "https://10.240.0.12:2379"}, nil, 3},
		"one member":                        {[]string{"https://127.0.0.1:2379"}, nil, 0},
		"one member, said twice":            {[]string{"https://127.0.0.1:2379", "https://127.0.0.1:2379"}, nil, 0},
		"a socket":                          {[]string{"https://127.0.0.1:2379", "unix:///run/etcd"}, nil, 0},
		"one, and two for events":           {[]string{"https://127.0.0.1:2379"}, [][]string{{"https://10.240.0.11:2379", "https://10.240.0.12:2379"}}, 3},
		"two, of which one is for events":   {[]string{"https://10.240.0.10:2379", "https://10.240.0.11:2379"}, [][]string{{"https://10.240.0.11:2379"}}, 2},
		"two, and a socket for the events":  {[]string{"https://10.240.0.10:2379", "https://10.240.0.11:2379"}, [][]string{{"unix:///run/etcd"}}, 0},
		"two, and one for events elsewhere": {[]string{"https://10.240.0.10:2379", "https://10.240.0.11:2379"}, [][]string{{"https://10.240.0.12:2379"}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			b := New(etcdclient.Config{Endpoints: tt.endpoints}, tt.others...)
			if b == nil {
				if tt.members != 0 {
					t.Error("there is no balancer")
				}
				return
			}
			if len(b.byAddress) != tt.members {
				t.Errorf("it knows %d members, want %d", len(b.byAddress), tt.members)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/logging/zapklog"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Member is the Runner of the embedded member.
type Member struct {
	// OnOutage is told that the cluster has no leader, and returns what is told when it
	// has one again. It may be nil, and is set before Run.
	OnOutage func() (over func())

	config   *embed.Config
	repair   func() string
	local    local
	starting atomic.Bool
}

// New returns the member that cfg describes. fatal is called, and must not
// return, when etcd logs that it cannot go on. repair says how data are brought
// back that turn out to be damaged.
func New(cfg *embed.Config, fatal func(reason string), repair func() string) *Member {
	m := &Member{config: cfg, repair: repair, local: newLocal()}
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapklog.New(func(reason string) {
		if m.starting.Load() {
			reason += "; if the data in " + cfg.Dir + " are damaged: " + repair()
		}
		fatal(reason)
	}))
	return m
}

// Run starts the member, waits until it serves, and closes it when ctx ends.
func (m *Member) Run(ctx context.Context, report supervisor.Report) error {
	if err := m.join(ctx); err != nil {
		return err
	}
	m.starting.Store(true)
	server, err := m.start()
	if err != nil {
		return err
	}
	defer closeServer(server)
	if err := m.awaitQuorum(ctx, server, report); err != nil || ctx.Err() != nil {
		return err
	}
	m.starting.Store(false)
	if err := m.settle(ctx, server, report); err != nil || ctx.Err() != nil {
		return err
	}
	defer m.local.serve(server.Server, m.config.GRPCKeepAliveMinTime)()
	report(supervisor.Running, "")
	watching, unwatch := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { m.watchLeader(watching, server) })
	defer watch.Wait()
	defer unwatch()
	select {
	case err := <-server.Err():
		return err
	case <-server.Server.StopNotify():
		return errStopped
	case <-ctx.Done():
		klog.InfoS("Closing the embedded etcd member", "dir", m.config.Dir)
		return nil
	}
}

var errStopped = errors.New("the member stopped; it may have been removed from its cluster: khw-controller etcd member list on another controller")

// start starts the member. What it trips over in its data, a page of the database
// that makes no sense or is not there, is an error.
func (m *Member) start() (server *embed.Etcd, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			klog.ErrorS(nil, "etcd cannot read its data", "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("the data in %s are damaged: %v; %s", m.config.Dir, r, m.repair())
		}
	}()
	return embed.StartEtcd(m.config)
}

// closeServer closes a member. One that has never served is stopped first: its
// listeners wait for it to serve or to stop, and Close waits for them.
func closeServer(server *embed.Etcd) {
	select {
	case <-server.Server.ReadyNotify():
	default:
		awaitRoot(server.Server)
		server.Server.HardStop()
	}
	server.Close()
}

// rooted is what a member of a new cluster may take to store who is in it: some
// milliseconds, on a disk that works.
const rooted = time.Second

// awaitRoot waits until a member has stored who is in its cluster, but not for long.
// Stopped before that, it would find a log without anybody in it when it is started
// again, and wait for a leader for good (go.etcd.io/etcd/server/v3/etcdserver,
// bootstrapRaftFromWAL).
func awaitRoot(s *etcdserver.EtcdServer) {
	_ = wait.PollUntilContextTimeout(context.Background(), time.Millisecond, rooted, true, func(context.Context) (bool, error) {
		select {
		case <-s.StopNotify():
			return true, nil
		default:
			return s.AppliedIndex() > 0, nil
		}
	})
}

// Endpoints returns the client URLs for --etcd-servers: where the member listens
// on the loopback, or else what it advertises. In a cluster too it is this member
// alone. It lives and dies with the apiserver that asks it, so that there is no
// case for another; and etcd's client takes turns between all that it is given,
// which would send two of three requests to another machine.
func Endpoints(cfg *embed.Config) []string {
	var out []string
	for _, u := range cfg.ListenClientUrls {
		if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
			return []string{u.Scheme + "://" + u.Host}
		}
	}
	for _, u := range cfg.AdvertiseClientUrls {
		out = append(out, fmt.Sprintf("%s://%s", u.Scheme, u.Host))
	}
	return out
}

// list is words in a row.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"sync"
	"time"
)

// Outage says that etcd, or one of its members, does not answer, or that it has no
// leader, and returns what says that this is over. In between, the lines in which
// everybody in Kubernetes tells of that are counted as one kind, whoever writes them:
// who knows of the outage tells its beginning and its end.
func Outage() (over func()) {
	out := inUse.Load()
	if out == nil {
		return func() {}
	}
	out.outage(1)
	return sync.OnceFunc(func() { time.AfterFunc(trailing, func() { out.outage(-1) }) })
}

// trailing is how long after an outage requests end that began in it.
const trailing = 10 * time.Second

// outageSite stands for the lines of code that write what comes of an outage.
const outageSite = "outage"

func (o *output) outage(more int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.outages += more
	if s := o.sites[outageSite]; s != nil && o.outages == 0 {
		o.finish(outageSite, time.Since(s.begun).Round(time.Second))
	}
}

// inOutage are those that come of an outage of etcd. At any other time they are told
// as all others are.
var inOutage = []routineLine{
	{"go.etcd.io/etcd/server/v3/etcdserver/txn", "util.go", "apply request took too long", "", "a request to the embedded member, which waits for a leader"},
	{"go.etcd.io/etcd/server/v3/etcdserver/txn", "util.go", "failed to apply request", "lease not found", "what had run out is revoked by the old leader and by the new one"},
	{"go.etcd.io/etcd/server/v3/etcdserver", "server.go", "failed to revoke lease", "lease not found", "the same"},
	{"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc", "interceptor.go", "request stats", "", "a request to it that took long"},
	{"go.etcd.io/etcd/server/v3/etcdserver/read", "read.go", "waiting for ReadIndex response took too long, retrying", "", "the same"},
	{"go.etcd.io/etcd/server/v3/etcdserver/read", "read.go", "timed out waiting for read index response", "", "the same"},
	{"go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp", "probing_status.go", "prober detected unhealthy status", "", "another member does not answer; which ones is told at the beginning"},
	{"go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp", "stream.go", "lost TCP streaming connection with remote peer", "", "the same"},
	{"go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp", "peer_status.go", "peer became inactive (message send to peer failed)", "", "the same"},
	{"go.etcd.io/etcd/server/v3/etcdserver", "cluster_util.go", "failed to reach the peer URL", "", "the same"},
	{"go.etcd.io/etcd/server/v3/etcdserver", "cluster_util.go", "failed to get version", "", "the same"},
	{"go.etcd.io/etcd/client/v3", "retry_interceptor.go", "retrying of unary invoker failed", "", "a request is put again"},
	{"google.golang.org/grpc", "clientconn.go", "createTransport failed to connect to", "", "a connection is tried again"},
	{"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters", "status.go", "apiserver received an error that is not an metav1.Status", "", "etcd's error, handed on to the client"},
	{"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters", "writers.go", "apiserver was unable to write a", "", "to a client that has not waited any longer"},
	{"k8s.io/apiserver/pkg/endpoints/handlers/finisher", "finisher.go", "FinishRequest: post-timeout activity", "", "the same"},
	{"k8s.io/apiserver/pkg/server/filters", "timeout.go", "Post-timeout activity", "", "the same"},
	{"k8s.io/apiserver/pkg/server/filters", "wrap.go", "Timeout or abort while handling", "", "the same"},
	{"k8s.io/apiserver/pkg/storage/etcd3", "watcher.go", "watch chan error: ", "", "a watch is begun again"},
	{"k8s.io/apiserver/pkg/storage/cacher", "cacher.go", "unexpected ListAndWatch error: ", "", "a cache that is filled again"},
	{"k8s.io/apiserver/pkg/storage/cacher/consistency", "checker.go", "Cache consistency check error", "cache is not ready", "such a cache"},
	{"k8s.io/apiserver/pkg/storage/cacher/consistency", "checker.go", "Cache consistency check error", "failed calculating etcd digest: etcdserver: ", "what it asks etcd for"},
	{"k8s.io/apiserver/pkg/storage/cacher", "cacher.go", "Terminating all watchers from cacher ", "", "the watches of clients end with that of the cache"},
	{"k8s.io/client-go/tools/cache", "reflector.go", "Failed to watch", "", "the client of such a watch, which begins it again"},
	{"k8s.io/client-go/tools/leaderelection", "leaderelection.go", "rror retrieving ", " lock", "a lease that cannot be read; who leads is told by the states of the components"},
	{"k8s.io/client-go/tools/leaderelection", "leaderelection.go", "Failed to update lock", "", "the same"},
	{"k8s.io/client-go/tools/record", "event.go", "Server rejected event (will not retry!)", "", "an event about a lease that was lost"},
	{"k8s.io/component-helpers/apimachinery/lease", "controller.go", "Failed to ", "", "the apiserver's own lease"},
}

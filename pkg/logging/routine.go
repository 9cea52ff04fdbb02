// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"slices"
	"strings"
	"sync/atomic"
)

// routineLine is a warning or an error that Kubernetes logs though nothing is
// wrong. It is told with Everything only.
type routineLine struct {
	// pkg and file are where it is written; a test holds them against the source.
	// What etcd writes comes through etcdBridge, what its client writes through
	// logEtcdClient, and what gRPC writes through its own channelz/logging.go.
	pkg, file string
	// text is in the source, and begins what the line says.
	text string
	// with is in what the line says too.
	with string
	// why it is no trouble.
	why string
}

var routine = []routineLine{
	{"k8s.io/component-base/metrics", "options.go", "The manifest file is empty, ignoring.", "", "said wherever --allow-metric-labels-manifest is not set"},
	{"k8s.io/apiserver/pkg/storage/etcd3", "watcher.go", "failed to sync with latest state: ", "context canceled", "a watch that was ended while it began"},
	{"k8s.io/client-go/tools/record", "event.go", "Unable to record event (will not retry!)", "broadcaster already stopped", "an event about a lease that was given back in a stop"},
	{"k8s.io/client-go/tools/record", "event.go", "Unable start event watcher (will not retry!)", "broadcaster already stopped", "a controller that was told to stop before it began"},
	{"k8s.io/apiserver/pkg/server", "genericapiserver.go", "Skipping API ", "because it has no resources", "versions of an API that are not served are the default"},
	{"k8s.io/kubernetes/pkg/registry/scheduling/rest", "storage_scheduling.go", " storage is disabled because the ", "feature gate is disabled", "an alpha feature is off"},
	{"k8s.io/kubernetes/pkg/registry/lifecycle/rest", "storage_coordination.go", " storage is disabled because the ", "feature gate is disabled", "an alpha feature is off"},
	{"k8s.io/kubernetes/pkg/controlplane/reconcilers", "lease.go", "Resetting endpoints for master service ", "", "at every start and stop of a controller"},
	{"k8s.io/component-helpers/apimachinery/lease", "controller.go", "Failed to ensure lease exists, will retry", `namespaces \"kube-system\" not found`, "the first start of a cluster makes the namespace at the same time"},
	{"k8s.io/kubernetes/pkg/controlplane/controller/legacytokentracking", "controller.go", "Error while syncing ConfigMap", `namespaces \"kube-system\" not found`, "the first start of a cluster makes the namespace at the same time"},
	{"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch", "typeconverter.go", "failed to fetch openapi paths: ", "connection refused", "the apiserver asks itself every five seconds, while it stops too"},
	{"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch", "typeconverter.go", "failed to fetch openapi paths: ", "TLS handshake timeout", "and from before it serves: a slow start takes longer than the question"},
	{"k8s.io/apiserver/pkg/endpoints/handlers", "watch.go", "Failed to encode watch event", "the client is gone", "a watch of this process that was ended while an event came"},
	{"k8s.io/client-go/tools/cache", "shared_informer.go", "Unable to sync caches", "", "said only of a controller whose term has ended"},
	{"k8s.io/kubernetes/pkg/controller/serviceaccount", "legacy_serviceaccount_token_cleaner.go", "Getting lastest possible tracked_since time", "context canceled", "a stop while it asks"},
	{"k8s.io/kubernetes/pkg/controller/replicaset", "replica_set.go", "unable to register metrics", "duplicate metrics collector registration attempted", "another term in one process: they are registered"},
	{"k8s.io/kubernetes/pkg/controller/replicaset", "replica_set.go", " failed with ", "is not as new as written version", "an informer that is behind the controller's own write; it waits for it"},
	{"k8s.io/kubernetes/pkg/controller/daemon", "daemon_controller.go", " failed with : ", "is not as new as written version", "the same"},
	{"k8s.io/kubernetes/pkg/controller/statefulset", "stateful_set.go", "Error syncing StatefulSet, requeuing", "is not as new as written version", "the same"},
	{"k8s.io/kubernetes/pkg/controller/job", "job_controller.go", "syncing job: ", "is not as new as written version", "the same"},
	{"k8s.io/kubernetes/pkg/controlplane/controller/kubernetesservice", "controller.go", "Error removing old endpoints from kubernetes service: ", "no API server IP addresses were listed in storage", "a controller that starts takes its own address away, and there is no other"},
	{"k8s.io/kubernetes/cmd/kube-controller-manager/app", "controllermanager.go", "Error initializing a controller", "because it has stopped already", "a stop while the controllers are being started"},
	{"k8s.io/kubernetes/pkg/registry/core/service/ipallocator/controller", "repairip.go", " is not allocated; repairing", "", "a service that is told of before its address, by two informers, as default/kubernetes in a first start; where there is none, an Event says so too"},
	{"go.etcd.io/etcd/server/v3/embed", "config.go", "Running http and grpc server on single port. This is not recommended for production.", "", "as in the lab; --etcd-arg listen-client-http-urls parts them"},
	{"go.etcd.io/etcd/server/v3/etcdserver", "server.go", "Failed to detect schema version", "missing term information", "a new member has no raft term yet; tried again every few seconds"},
	{"go.etcd.io/etcd/server/v3/etcdserver/version", "monitor.go", "failed to update storage version", "missing term information", "the same"},
	{"go.etcd.io/etcd/server/v3/auth", "store.go", "simple token is not cryptographically signed", "", "etcd's own users are not in use"},
	{"k8s.io/kubernetes/pkg/volume/flexvolume", "probe.go", "Flexvolume plugin directory at ", "does not exist. Recreating.", "it is made, as in every first start"},
	{"go.etcd.io/etcd/client/v3", "retry_interceptor.go", "retrying of unary invoker failed", "the client connection is closing", "the apiserver counts the objects of a version that it does not serve, whose client it has closed"},
	{"google.golang.org/grpc", "server.go", "Server.processUnaryRPC failed to write status", "transport is closing", "an answer of the embedded member to a client that has ended its connection"},
}

// manyFaced are those that name the request which they are about: they are of one kind
// whichever that is.
var manyFaced = []routineLine{
	{"go.etcd.io/etcd/server/v3/etcdserver/txn", "util.go", "apply request took too long", "", "a request to the embedded member, on a slow disk or a busy machine"},
	{"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc", "interceptor.go", "request stats", "", "the same"},
}

// routineInStop are those behind which nothing is wrong while the process stops in
// order; at any other time they are told.
var routineInStop = []routineLine{
	{"k8s.io/kubernetes/pkg/controller/garbagecollector", "garbagecollector.go", "timed out waiting for dependency graph builder sync during GC sync", "", "said of a wait that the stop has ended, too"},
	{"k8s.io/kube-aggregator/pkg/controllers", "cache.go", "Unable to sync caches for ", "", "a stop while it starts"},
	{"k8s.io/kubernetes/pkg/controller/resourcequota", "resource_quota_controller.go", "Timed out waiting for quota monitor sync", "", "the same"},
	{"k8s.io/kubernetes/pkg/controlplane/controller/kubernetesservice", "controller.go", "Unable to remove endpoints from kubernetes service: ", "key not found", "a stop before its address was there"},
	{"k8s.io/apiserver/pkg/reconcilers", "peer_endpoint_lease.go", "Unable to remove peer endpoint leases: ", "key not found", "the same"},
	{"go.etcd.io/etcd/server/v3/embed", "etcd.go", "setting up serving from embedded etcd failed.", "server is stopping", "a stop while it starts"},
}

// interruptions are what Kubernetes says, in many places, of what it was about when
// the process was told to stop in order.
var interruptions = []struct{ text, why string }{
	{"context canceled", "it was ended"},
	{"because it has stopped already", "it was about to begin"},
	{"http: Handler timeout", "an answer to a client in this process that has ended its request"},
	{"the client is gone", "the same"},
	{"Timeout or abort while handling", "the same"},
	{"ost-timeout activity", "the handler of such a request has returned"},
}

// stopping is whether the process stops in order, which is the process's as the
// log is.
var stopping atomic.Bool

// Stopping says that the components are told to stop from now on.
func Stopping() { stopping.Store(true) }

// isRoutine reports whether nothing is wrong though it is a warning or an error.
func (l line) isRoutine() bool {
	return l.isOf(routine) || stopping.Load() && (l.isOf(routineInStop) || l.isInterruption())
}

// isInterruption reports whether it says no more than that the stop ended something.
func (l line) isInterruption() bool {
	return slices.ContainsFunc(interruptions, func(i struct{ text, why string }) bool { return strings.Contains(l.text, i.text) })
}

// isOf reports whether it is one of these.
func (l line) isOf(lines []routineLine) bool { return l.among(lines) >= 0 }

// among returns which of these it is, or -1.
func (l line) among(lines []routineLine) int {
	return slices.IndexFunc(lines, func(r routineLine) bool {
		file := r.file
		switch {
		case strings.HasPrefix(r.pkg, "go.etcd.io/etcd/client/"):
			file = etcdClientFile
		case strings.HasPrefix(r.pkg, "go.etcd.io/"):
			file = etcdBridgeFile
		case strings.HasPrefix(r.pkg, "google.golang.org/grpc"):
			file = grpcFile
		}
		return l.file() == file && strings.Contains(l.text, r.text) && strings.Contains(l.text, r.with)
	})
}

// SPDX-License-Identifier: Apache-2.0

package auditlog

import "strings"

// difference is a request that only one of the two makes, and why that is right.
type difference struct {
	request
	// why it is made by one only.
	why string
	// sometimes tells that it depends on the machine whether it is made.
	sometimes bool
}

// matches reports whether it is about r. A what that ends in * is a prefix.
func (d difference) matches(r request) bool {
	prefix, any := strings.CutSuffix(d.what, "*")
	return d.user == r.user && d.verb == r.verb && (d.what == r.what || any && strings.HasPrefix(r.what, prefix))
}

const (
	apiserver   = "system:apiserver"
	healthProxy = "system:khw-controller:health-proxy"
)

var differences = []difference{
	// Ours.
	{request: request{apiserver, "get", "/api"}, why: "pkg/bootstrap finds out what a manifest's kind is served as"},
	{request: request{apiserver, "get", "/apis"}, why: "pkg/bootstrap finds out what a manifest's kind is served as"},
	{request: request{apiserver, "patch", "rbac.authorization.k8s.io clusterroles"}, why: "pkg/bootstrap applies the kubelet's RBAC, with which the lab has kubectl"},
	{request: request{apiserver, "patch", "rbac.authorization.k8s.io clusterrolebindings"}, why: "pkg/bootstrap applies the kubelet's RBAC, with which the lab has kubectl"},
	{request: request{apiserver, "create", " events"}, why: "pkg/bootstrap records who leads, and what was applied"},
	{request: request{apiserver, "create", "events.k8s.io events"}, why: "upstream repairs the addresses of Services, and records where it was before the allocator", sometimes: true},
	{request: request{apiserver, "get", " configmaps"}, why: "pkg/secretsencrypt looks for a rotation of the encryption key"},
	{request: request{apiserver, "get", "/readyz*"}, why: "pkg/component/apiserver waits until it is ready", sometimes: true},
	{request: request{apiserver, "get", "/livez*"}, why: "the watchdog asks whether the apiserver answers", sometimes: true},
	{request: request{healthProxy, "get", "/healthz"}, why: "pkg/healthz asks, as the lab's nginx does without a user", sometimes: true},
	{request: request{apiserver, "list", "rbac.authorization.k8s.io roles"}, why: "pkg/defaults lists what stock asks for one by one"},
	{request: request{apiserver, "list", "rbac.authorization.k8s.io rolebindings"}, why: "pkg/defaults lists what stock asks for one by one"},
	{request: request{apiserver, "list", "discovery.k8s.io endpointslices"}, why: "pkg/peers looks for the other apiservers", sometimes: true},
	// Stock's.
	{request: request{apiserver, "get", " serviceaccounts"}, why: "a token is verified before its account is in the apiserver's cache", sometimes: true},
	{request: request{"system:kube-controller-manager", "get", "/healthz"}, why: "it waits for the apiserver, for which ours is started later"},
}

// healthProxys reports whether a mark is one that the health proxy's requests are right
// to lack: its user is in no group (docs/decisions/0006-health-user.md).
func healthProxys(r request, mark string) bool {
	return r.user == healthProxy && mark == "group system:authenticated"
}

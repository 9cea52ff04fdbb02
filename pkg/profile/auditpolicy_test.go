// SPDX-License-Identifier: Apache-2.0

package profile

import (
	"strings"
	"testing"

	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// TestTheAuditPolicy asks the policy what it makes of requests, as the apiserver does.
func TestTheAuditPolicy(t *testing.T) {
	p, err := policy.LoadPolicyFromBytes(auditPolicy)
	if err != nil {
		t.Fatal(err)
	}
	evaluator := policy.NewPolicyRuleEvaluator(p)
	who := func(name string, groups ...string) user.Info {
		return &user.DefaultInfo{Name: name, Groups: append(groups, user.AllAuthenticated)}
	}
	somebody, node := who("somebody"), who("system:node:worker-0", user.NodesGroup)
	scheduler, manager, itself := who(user.KubeScheduler), who(user.KubeControllerManager), who(user.APIServerUser, user.SystemPrivilegedGroup)
	controller := who("system:serviceaccount:kube-system:job-controller", "system:serviceaccounts", "system:serviceaccounts:kube-system")
	const none, metadata, request = auditinternal.LevelNone, auditinternal.LevelMetadata, auditinternal.LevelRequest
	for _, test := range []struct {
		who     user.Info
		request string // verb and path, or verb, group and resource
		want    auditinternal.Level
	}{
		{somebody, "get /healthz/etcd", none}, {somebody, "get /readyz", none}, {somebody, "get /openapi/v3", none}, {somebody, "get /apis/apps/v1", none},
		{somebody, "post /readyz", metadata}, {somebody, "get /debug/pprof/heap", metadata}, {somebody, "get /logs/", metadata},

		{scheduler, "update coordination.k8s.io leases", none}, {manager, "get coordination.k8s.io leases", none},
		{node, "update coordination.k8s.io leases", none}, {itself, "update coordination.k8s.io leases", none},
		{somebody, "delete coordination.k8s.io leases", metadata},
		{scheduler, "create events.k8s.io events", none}, {node, "patch core events", none}, {somebody, "delete core events", metadata},
		{somebody, "deletecollection events.k8s.io events", metadata},

		{node, "patch core nodes/status", none}, {node, "patch core pods/status", none}, {somebody, "patch core nodes/status", metadata},
		{node, "create core pods", metadata}, {node, "delete core pods", metadata},
		{node, "watch core pods", none}, {node, "get core configmaps", none}, {scheduler, "list core pods", none},
		{controller, "list apps deployments", none}, {controller, "delete core pods", metadata}, {itself, "list core secrets", none},
		{node, "create authorization.k8s.io subjectaccessreviews", none}, {somebody, "create authorization.k8s.io subjectaccessreviews", metadata},

		{node, "get core secrets", metadata}, {manager, "list core secrets", metadata}, {controller, "watch core secrets", metadata},
		{somebody, "get core secrets", metadata}, {somebody, "create core secrets", metadata}, {somebody, "update core configmaps", metadata},
		{somebody, "create core serviceaccounts/token", metadata}, {node, "create core serviceaccounts/token", metadata},
		{somebody, "create authentication.k8s.io tokenreviews", metadata},

		{somebody, "create core pods", metadata}, {somebody, "patch apps deployments", metadata}, {somebody, "get core pods", metadata},
		{somebody, "create core pods/exec", metadata}, {somebody, "get core pods/exec", metadata}, {somebody, "get core nodes/proxy", metadata},
		{somebody, "create example.org things", metadata},

		{somebody, "create rbac.authorization.k8s.io clusterrolebindings", request}, {somebody, "get rbac.authorization.k8s.io roles", metadata},
		{somebody, "update admissionregistration.k8s.io mutatingwebhookconfigurations", request},
		{somebody, "update certificates.k8s.io certificatesigningrequests/approval", request},
		{somebody, "patch core namespaces", request}, {somebody, "delete networking.k8s.io networkpolicies", request},
		{somebody, "create networking.k8s.io ingresses", metadata},
	} {
		a := authorizer.AttributesRecord{User: test.who, APIVersion: "v1", Name: "x", Namespace: "default"}
		words := strings.Fields(test.request)
		if a.Verb = words[0]; len(words) == 2 {
			a.Path = words[1]
		} else {
			a.ResourceRequest = true
			a.APIGroup = strings.TrimPrefix(words[1], "core")
			a.Resource, a.Subresource, _ = strings.Cut(words[2], "/")
		}
		if got := evaluator.EvaluatePolicyRule(a); got.Level != test.want || len(got.OmitStages) != 1 || !got.OmitManagedFields {
			t.Errorf("%s by %s: %+v, want the level %s", test.request, test.who.GetName(), got, test.want)
		}
	}
}

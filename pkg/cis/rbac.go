// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"
)

const clusterAdmin = "cluster-admin"

// toLook is what is left to people where rights are to be few: who needs them.
const toLook = "whether they need it is for you to judge: "

// rbacItems are section 5.1.
var rbacItems = []item{
	{id: "5.1.1", title: "nobody else is bound to cluster-admin", judgeCluster: func(_ *input, o *objects) verdict {
		var found []string
		for _, b := range o.bindings {
			if b.role.Kind == "ClusterRole" && b.role.Name == clusterAdmin && b.namespace == "" && b.name != clusterAdmin {
				found = append(found, b.name)
			}
		}
		if len(found) > 0 {
			return fails("ClusterRoleBindings to cluster-admin: "+list(found), "bind their subjects to less, and kubectl delete clusterrolebinding "+found[0])
		}
		return passes("system:masters only")
	}},
	{id: "5.1.2", title: "Secrets are not for everybody", judgeCluster: notForEverybody("read Secrets",
		permission{verbs: []string{"get", "list", "watch"}, kinds: []string{"secrets"}})},
	{id: "5.1.3", title: "roles name what they grant", judgeCluster: wildcards},
	{id: "5.1.4", title: "not everybody makes pods", judgeCluster: notForEverybody("make pods",
		permission{verbs: []string{"create"}, kinds: []string{"pods"}})},
	{id: "5.1.5", title: "default service accounts are not used", judgeCluster: defaultAccounts},
	{id: "5.1.6", title: "pods have tokens only where they need them", judgeCluster: mountedTokens},
	{id: "5.1.7", title: "nobody is of the group system:masters", judgeCluster: func(_ *input, o *objects) verdict {
		if slices.Contains(o.groups, user.SystemPrivilegedGroup) {
			return differs("the lab's admin is of it (chapter 04), past all roles: keep that kubeconfig for emergencies, and bind people's groups to roles")
		}
		return passes("the kubeconfig in use is of " + strings.Join(o.groups, ", "))
	}},
	{id: "5.1.8", title: "not everybody may become somebody else (bind, escalate, impersonate)", judgeCluster: notForEverybody("bind, escalate or impersonate",
		permission{verbs: []string{"bind", "escalate"}, group: rbacv1.GroupName, kinds: []string{"roles", "clusterroles"}},
		permission{verbs: []string{"impersonate"}, kinds: []string{"users", "groups", "serviceaccounts"}},
		permission{verbs: []string{"impersonate"}, group: "authentication.k8s.io", kinds: []string{"uids"}})},
	{id: "5.1.9", title: "not everybody makes persistent volumes", judgeCluster: notForEverybody("make PersistentVolumes",
		permission{verbs: []string{"create"}, kinds: []string{"persistentvolumes"}})},
	{id: "5.1.10", title: "not everybody reaches kubelets through the API (nodes/proxy)", judgeCluster: notForEverybody("use nodes/proxy",
		permission{verbs: []string{"get", "create", "update", "patch", "delete"}, kinds: []string{"nodes/proxy"}})},
	{id: "5.1.11", title: "not everybody approves certificates", judgeCluster: notForEverybody("approve certificates",
		permission{verbs: []string{"update", "patch"}, group: "certificates.k8s.io", kinds: []string{"certificatesigningrequests/approval"}})},
	{id: "5.1.12", title: "not everybody configures admission webhooks", judgeCluster: notForEverybody("configure admission webhooks",
		permission{verbs: []string{"create", "update", "patch", "delete"}, group: "admissionregistration.k8s.io",
			kinds: []string{"validatingwebhookconfigurations", "mutatingwebhookconfigurations"}})},
	{id: "5.1.13", title: "not everybody makes tokens of service accounts", judgeCluster: notForEverybody("make tokens",
		permission{verbs: []string{"create"}, kinds: []string{"serviceaccounts/token"}})},
}

// notForEverybody wants nobody to have any of some permissions who is not somebody, and shows who
// else has it by what was added to the cluster.
func notForEverybody(what string, granted ...permission) func(*input, *objects) verdict {
	return func(_ *input, o *objects) verdict {
		var broad, others []string
		for _, b := range o.bindings {
			rules := o.rulesOf(b)
			if !slices.ContainsFunc(granted, func(p permission) bool { return p.grantedBy(rules) }) {
				continue
			}
			switch {
			case slices.ContainsFunc(b.subjects, isBroad):
				broad = append(broad, b.String())
			case !b.byDefault:
				others = append(others, b.String())
			}
		}
		switch {
		case len(broad) > 0:
			return fails(fmt.Sprintf("whoever comes along may %s, by the binding %s", what, list(broad)), "bind those who need it, by name, and delete "+broad[0])
		case len(others) > 0:
			return passes("bindings by which somebody may "+what+": "+list(others), toLook+"kubectl describe clusterrolebinding,rolebinding NAME")
		}
		return passes("nobody may " + what + " but by Kubernetes' own bindings")
	}
}

// wildcards wants none in roles that were added to the cluster.
func wildcards(_ *input, o *objects) verdict {
	var found []string
	for _, r := range o.roles {
		has := func(rule rbacv1.PolicyRule) bool {
			return slices.ContainsFunc([][]string{rule.Verbs, rule.APIGroups, rule.Resources}, func(l []string) bool { return slices.Contains(l, rbacv1.VerbAll) })
		}
		if !r.byDefault && slices.ContainsFunc(r.rules, has) {
			found = append(found, r.String())
		}
	}
	if len(found) > 0 {
		return fails("roles with *: "+list(found), "name what their subjects need")
	}
	return passes("no * but in Kubernetes' own roles, and in the lab's for kubelets")
}

// running are the pods that have not ended.
func (o *objects) running() []corev1.Pod {
	return slices.DeleteFunc(slices.Clone(o.pods), func(p corev1.Pod) bool {
		return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
}

// hasToken reports whether a pod was given a token by itself: admission has mounted it.
func hasToken(p corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool {
		return strings.HasPrefix(v.Name, "kube-api-access-") && v.Projected != nil
	})
}

func defaultAccounts(_ *input, o *objects) verdict {
	var bound, used []string
	for _, b := range o.bindings {
		if slices.ContainsFunc(b.subjects, func(s rbacv1.Subject) bool { return s.Kind == rbacv1.ServiceAccountKind && s.Name == "default" }) {
			bound = append(bound, b.String())
		}
	}
	for _, p := range o.running() {
		if p.Spec.ServiceAccountName == "default" && hasToken(p) {
			used = append(used, qualified(p.Namespace, p.Name))
		}
	}
	switch {
	case len(bound) > 0:
		return fails("bindings of a default service account: "+list(bound), "make a service account for who needs it, and take default out")
	case len(used) > 0:
		return fails("pods with a token of a default service account: "+list(used),
			"give those that need one a service account of their own, and have automountServiceAccountToken: false in default's")
	}
	return passes("no binding, and no running pod with its token")
}

func mountedTokens(_ *input, o *objects) verdict {
	n := 0
	for _, p := range o.running() {
		if hasToken(p) {
			n++
		}
	}
	if n == 0 {
		return passes("no running pod has one that it did not ask for")
	}
	return skipped(fmt.Sprintf("whether they need one nobody but their owners can tell: %d of %d running pods have one", n, len(o.running())))
}

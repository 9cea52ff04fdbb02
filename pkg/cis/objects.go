// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"context"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"

	"github.com/khw-controller/khw-controller/pkg/verify"
)

// objects are what the cluster has, as far as items are about it.
type objects struct {
	groups       []string // of the admin
	namespaces   []corev1.Namespace
	pods         []corev1.Pod
	policies     []networkingv1.NetworkPolicy
	roles        []role
	bindings     []binding
	webhooks     []admissionregistrationv1.ValidatingWebhookConfiguration
	tokenSecrets []string // with tokens that never end, namespace/name
	// endlessBootstrapTokens are the names of bootstrap tokens that never end.
	endlessBootstrapTokens []string
}

// role is a Role, or a ClusterRole, which has no namespace.
type role struct {
	namespace, name string
	// byDefault tells that Kubernetes, or the lab, has it.
	byDefault bool
	rules     []rbacv1.PolicyRule
}

func (r role) String() string { return qualified(r.namespace, r.name) }

// binding is a RoleBinding, or a ClusterRoleBinding, which has no namespace.
type binding struct {
	namespace, name string
	byDefault       bool
	role            rbacv1.RoleRef
	subjects        []rbacv1.Subject
}

func (b binding) String() string { return qualified(b.namespace, b.name) }

func qualified(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

// byDefault is the label of what Kubernetes' bootstrap makes, and ours of the lab's role
// (k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy).
func byDefault(o metav1.ObjectMeta) bool {
	return o.Labels["kubernetes.io/bootstrapping"] == "rbac-defaults"
}

// objects lists all of it, or says why it cannot.
func (c Cluster) objects(ctx context.Context) (*objects, *verify.Failure) {
	if c.Problem != nil {
		return nil, c.Problem
	}
	o := &objects{}
	for _, fetch := range []func(context.Context, Cluster) error{
		o.fetchGroups, o.fetchNamespaces, o.fetchPods, o.fetchPolicies, o.fetchRoles, o.fetchBindings, o.fetchWebhooks, o.fetchTokens,
	} {
		if err := fetch(ctx, c); err != nil {
			return nil, c.Explain(err)
		}
	}
	return o, nil
}

// all lists everything of a kind that is allowed to be asked for.
var all = metav1.ListOptions{}

func (o *objects) fetchGroups(ctx context.Context, c Cluster) error {
	who, err := c.Client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err == nil {
		o.groups = who.Status.UserInfo.Groups
	}
	return err
}

func (o *objects) fetchNamespaces(ctx context.Context, c Cluster) error {
	l, err := c.Client.CoreV1().Namespaces().List(ctx, all)
	if err == nil {
		o.namespaces = l.Items
	}
	return err
}

func (o *objects) fetchPods(ctx context.Context, c Cluster) error {
	l, err := c.Client.CoreV1().Pods("").List(ctx, all)
	if err == nil {
		o.pods = l.Items
	}
	return err
}

func (o *objects) fetchPolicies(ctx context.Context, c Cluster) error {
	l, err := c.Client.NetworkingV1().NetworkPolicies("").List(ctx, all)
	if err == nil {
		o.policies = l.Items
	}
	return err
}

func (o *objects) fetchRoles(ctx context.Context, c Cluster) error {
	cluster, err := c.Client.RbacV1().ClusterRoles().List(ctx, all)
	if err != nil {
		return err
	}
	for _, r := range cluster.Items {
		o.roles = append(o.roles, role{"", r.Name, byDefault(r.ObjectMeta), r.Rules})
	}
	l, err := c.Client.RbacV1().Roles("").List(ctx, all)
	if err != nil {
		return err
	}
	for _, r := range l.Items {
		o.roles = append(o.roles, role{r.Namespace, r.Name, byDefault(r.ObjectMeta), r.Rules})
	}
	return nil
}

func (o *objects) fetchBindings(ctx context.Context, c Cluster) error {
	cluster, err := c.Client.RbacV1().ClusterRoleBindings().List(ctx, all)
	if err != nil {
		return err
	}
	for _, b := range cluster.Items {
		o.bindings = append(o.bindings, binding{"", b.Name, byDefault(b.ObjectMeta), b.RoleRef, b.Subjects})
	}
	l, err := c.Client.RbacV1().RoleBindings("").List(ctx, all)
	if err != nil {
		return err
	}
	for _, b := range l.Items {
		o.bindings = append(o.bindings, binding{b.Namespace, b.Name, byDefault(b.ObjectMeta), b.RoleRef, b.Subjects})
	}
	return nil
}

func (o *objects) fetchWebhooks(ctx context.Context, c Cluster) error {
	l, err := c.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, all)
	if err == nil {
		o.webhooks = l.Items
	}
	return err
}

func (o *objects) fetchTokens(ctx context.Context, c Cluster) error {
	tokens, err := c.Client.CoreV1().Secrets("").List(ctx, ofType(corev1.SecretTypeServiceAccountToken))
	if err != nil {
		return err
	}
	for _, s := range tokens.Items {
		if s.Type == corev1.SecretTypeServiceAccountToken {
			o.tokenSecrets = append(o.tokenSecrets, qualified(s.Namespace, s.Name))
		}
	}
	tokens, err = c.Client.CoreV1().Secrets(metav1.NamespaceSystem).List(ctx, ofType(bootstrapapi.SecretTypeBootstrapToken))
	if err != nil {
		return err
	}
	for _, s := range tokens.Items {
		if s.Type == bootstrapapi.SecretTypeBootstrapToken && never(s.Data[bootstrapapi.BootstrapTokenExpirationKey]) {
			o.endlessBootstrapTokens = append(o.endlessBootstrapTokens, s.Name)
		}
	}
	return nil
}

func ofType(t corev1.SecretType) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: "type=" + string(t)}
}

// permission is what rules grant: any of the verbs on any of the resources.
type permission struct {
	verbs []string
	group string
	kinds []string // resources, with their subresource
}

func (p permission) grantedBy(rules []rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		anyOf := func(have, want []string) bool {
			return slices.ContainsFunc(have, func(h string) bool { return h == rbacv1.VerbAll || slices.Contains(want, h) })
		}
		return anyOf(r.Verbs, p.verbs) && anyOf(r.APIGroups, []string{p.group}) && anyOf(r.Resources, p.kinds)
	})
}

// rulesOf are the rules of a binding's role.
func (o *objects) rulesOf(b binding) []rbacv1.PolicyRule {
	for _, r := range o.roles {
		if r.name == b.role.Name && (b.role.Kind == "ClusterRole") == (r.namespace == "") && (r.namespace == "" || r.namespace == b.namespace) {
			return r.rules
		}
	}
	return nil
}

// isBroad reports whether a subject is not somebody, but whoever comes along.
func isBroad(s rbacv1.Subject) bool {
	switch s.Kind {
	case rbacv1.GroupKind:
		return slices.Contains([]string{"system:authenticated", "system:unauthenticated"}, s.Name) || strings.HasPrefix(s.Name, "system:serviceaccounts")
	case rbacv1.UserKind:
		return s.Name == "system:anonymous"
	}
	return s.Kind == rbacv1.ServiceAccountKind && s.Name == "default"
}

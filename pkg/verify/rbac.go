// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// What the lab applies for the apiserver's way to kubelets.
const (
	kubeletRole    = "system:kube-apiserver-to-kubelet"
	kubeletBinding = "system:kube-apiserver"
)

// kubeletResources and kubeletVerbs are what the apiserver does with kubelets.
// The lab gives every verb; a kubelet asks for get and create.
var (
	kubeletResources = []string{"proxy", "stats", "log", "spec", "metrics"}
	kubeletVerbs     = []string{"get", "create", "*"}
)

const applyRBAC = "the holder of the lease kube-system/khw-bootstrap puts it back within seconds: khw-controller status --all says whose bootstrap does not, and why"

// checkRBAC wants the lab's role and binding there, and asks whether they work.
func checkRBAC(ctx context.Context, t Target) checkResult {
	user, bad := kubeletClient(t.KubeletClientCertificate)
	if bad != nil {
		return bad.result()
	}
	a, bad := newAPI(t)
	if bad != nil {
		return bad.result()
	}
	r, err := checkRole(ctx, a, user.Subject.CommonName)
	if err != nil {
		return a.explain(err).result()
	}
	denied, err := deniedToKubeletClient(ctx, a, user)
	if err != nil {
		return a.explain(err).result()
	}
	if len(denied) == 0 {
		for _, resource := range kubeletResources {
			r.output = append(r.output, fmt.Sprintf("User %q can %s nodes/%s", user.Subject.CommonName, strings.Join(kubeletVerbs, ", "), resource))
		}
		return r
	}
	problem := fmt.Sprintf("the user %q of %s must not %s", user.Subject.CommonName, t.KubeletClientCertificate, strings.Join(denied, ", "))
	if len(r.failures) == 0 {
		r.fail(problem, "see the rules: khw-controller kubectl get clusterrole "+kubeletRole+" -o yaml; "+applyRBAC)
		return r
	}
	r.fail(problem, r.failures[0].Next)
	return r
}

// kubeletClient returns the certificate with which the apiserver goes to kubelets.
func kubeletClient(path string) (*x509.Certificate, *Failure) {
	const flag = "--kube-apiserver-arg kubelet-client-certificate"
	if path == "" {
		return nil, &Failure{"the apiserver has no client certificate for kubelets", "set " + flag + " to kubernetes.pem, as in the lab"}
	}
	certs, err := cert.CertsFromFile(path)
	if err != nil {
		return nil, &Failure{"the client certificate for kubelets: " + connerr.OneLine(err), "correct " + flag}
	}
	if certs[0].Subject.CommonName == "" {
		return nil, &Failure{path + " has no common name, so that it is nobody's", "sign one with CN=kubernetes, as in lab chapter 04"}
	}
	return certs[0], nil
}

// checkRole wants the role, and the binding of user to it.
func checkRole(ctx context.Context, a *api, user string) (r checkResult, err error) {
	next := func(meta metav1.ObjectMeta) string {
		if meta.Annotations[rbacv1.AutoUpdateAnnotationKey] == "false" {
			return "correct it by hand: its annotation " + rbacv1.AutoUpdateAnnotationKey + "=false keeps khw-controller from it"
		}
		return applyRBAC
	}
	role, err := a.RbacV1().ClusterRoles().Get(ctx, kubeletRole, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		r.fail("the ClusterRole "+kubeletRole+" is not there", applyRBAC)
	case err != nil:
		return r, err
	default:
		if missing := missingResources(role.Rules); len(missing) > 0 {
			r.fail("the ClusterRole "+kubeletRole+" lacks "+strings.Join(missing, ", "), next(role.ObjectMeta))
		}
	}
	binding, err := a.RbacV1().ClusterRoleBindings().Get(ctx, kubeletBinding, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		r.fail("the ClusterRoleBinding "+kubeletBinding+" is not there", applyRBAC)
	case err != nil:
		return r, err
	case binding.RoleRef.Name != kubeletRole:
		r.fail(fmt.Sprintf("the ClusterRoleBinding %s binds to %s, want %s", kubeletBinding, binding.RoleRef.Name, kubeletRole), next(binding.ObjectMeta))
	case !slices.ContainsFunc(binding.Subjects, func(s rbacv1.Subject) bool { return s.Kind == rbacv1.UserKind && s.Name == user }):
		r.fail(fmt.Sprintf("the ClusterRoleBinding %s does not bind the user %q", kubeletBinding, user), next(binding.ObjectMeta))
	}
	return r, nil
}

// missingResources lists what rules do not give with every verb.
func missingResources(rules []rbacv1.PolicyRule) (missing []string) {
	for _, r := range kubeletResources {
		if !slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
			return slices.Contains(rule.Verbs, rbacv1.VerbAll) &&
				(slices.Contains(rule.Resources, "nodes/"+r) || slices.Contains(rule.Resources, rbacv1.ResourceAll))
		}) {
			missing = append(missing, "nodes/"+r)
		}
	}
	return missing
}

// deniedToKubeletClient asks, as a kubelet would, whether the user may do each
// thing with a node, and returns what it may not.
func deniedToKubeletClient(ctx context.Context, a *api, user *x509.Certificate) (denied []string, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, resource := range kubeletResources {
		for _, verb := range kubeletVerbs {
			wg.Go(func() {
				review, e := a.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
					Spec: authorizationv1.SubjectAccessReviewSpec{
						User:   user.Subject.CommonName,
						Groups: append([]string{"system:authenticated"}, user.Subject.Organization...),
						ResourceAttributes: &authorizationv1.ResourceAttributes{
							Verb: verb, Version: "v1", Resource: "nodes", Subresource: resource,
						},
					},
				}, metav1.CreateOptions{})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case e != nil:
					err = e
				case !review.Status.Allowed:
					denied = append(denied, verb+" nodes/"+resource)
				}
			})
		}
	}
	wg.Wait()
	slices.Sort(denied)
	return denied, err
}

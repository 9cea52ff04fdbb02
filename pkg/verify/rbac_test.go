// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

func labRole() *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		TypeMeta: metav1.TypeMeta{Kind: "ClusterRole", APIVersion: "rbac.authorization.k8s.io/v1"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Verbs: []string{"*"},
			Resources: []string{"nodes/proxy", "nodes/stats", "nodes/log", "nodes/spec", "nodes/metrics"},
		}},
	}
}

func labBinding() *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		TypeMeta: metav1.TypeMeta{Kind: "ClusterRoleBinding", APIVersion: "rbac.authorization.k8s.io/v1"},
		RoleRef:  rbacv1.RoleRef{Kind: "ClusterRole", Name: "system:kube-apiserver-to-kubelet"},
		Subjects: []rbacv1.Subject{{Kind: "User", Name: "kubernetes"}},
	}
}

func TestRBAC(t *testing.T) {
	const (
		role    = "GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system:kube-apiserver-to-kubelet"
		binding = "GET /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:kube-apiserver"
	)
	w := newFakeAPI(t)
	for name, test := range map[string]struct {
		change        func(w *fakeAPI, role *rbacv1.ClusterRole, binding *rbacv1.ClusterRoleBinding)
		denied        string // verb resource, and more
		problem, next string
	}{
		"as in the lab": {nil, "", "", ""},
		"no role":       {func(w *fakeAPI, _ *rbacv1.ClusterRole, _ *rbacv1.ClusterRoleBinding) { w.codes[role] = 404 }, "", "the ClusterRole system:kube-apiserver-to-kubelet is not there", "khw-bootstrap"},
		"no binding":    {func(w *fakeAPI, _ *rbacv1.ClusterRole, _ *rbacv1.ClusterRoleBinding) { w.codes[binding] = 404 }, "", "the ClusterRoleBinding system:kube-apiserver is not there", "khw-bootstrap"},
		"a resource less": {func(_ *fakeAPI, r *rbacv1.ClusterRole, _ *rbacv1.ClusterRoleBinding) {
			r.Rules[0].Resources = r.Rules[0].Resources[1:]
		}, "", "lacks nodes/proxy", "khw-bootstrap"},
		"a verb less": {func(_ *fakeAPI, r *rbacv1.ClusterRole, _ *rbacv1.ClusterRoleBinding) {
			r.Rules[0].Verbs = []string{"get"}
		}, "", "lacks nodes/proxy, nodes/stats", "khw-bootstrap"},
		"another role": {func(_ *fakeAPI, _ *rbacv1.ClusterRole, b *rbacv1.ClusterRoleBinding) { b.RoleRef.Name = "view" }, "", "binds to view", "khw-bootstrap"},
		"another user": {func(_ *fakeAPI, _ *rbacv1.ClusterRole, b *rbacv1.ClusterRoleBinding) {
			b.Subjects[0].Name = "kube-apiserver"
		}, "", `does not bind the user "kubernetes"`, "khw-bootstrap"},
		"a group of that name": {func(_ *fakeAPI, _ *rbacv1.ClusterRole, b *rbacv1.ClusterRoleBinding) {
			b.Subjects[0].Kind = rbacv1.GroupKind
		}, "", `does not bind the user "kubernetes"`, "khw-bootstrap"},
		"kept by its owner": {func(_ *fakeAPI, _ *rbacv1.ClusterRole, b *rbacv1.ClusterRoleBinding) {
			b.Subjects, b.Annotations = nil, map[string]string{"rbac.authorization.kubernetes.io/autoupdate": "false"}
		}, "", "does not bind", "by hand: its annotation"},
		"there, but not effective": {nil, "create proxy", `the user "kubernetes" of `, "get clusterrole"},
		"denied":                   {nil, "* log", "must not * nodes/log", ""},
		"denied more":              {nil, "get log, * log, create log", "must not * nodes/log, create nodes/log, get nodes/log", ""},
		"not an admin":             {func(w *fakeAPI, _ *rbacv1.ClusterRole, _ *rbacv1.ClusterRoleBinding) { w.codes[role] = 403 }, "", "admin.kubeconfig", "system:masters"},
		"unknown user":             {func(w *fakeAPI, _ *rbacv1.ClusterRole, _ *rbacv1.ClusterRoleBinding) { w.codes[role] = 401 }, "", "does not know the user", "lab chapter 05"},
		"etcd is away":             {func(w *fakeAPI, _ *rbacv1.ClusterRole, _ *rbacv1.ClusterRoleBinding) { w.codes[role] = 500 }, "", "has trouble", "etcd members"},
	} {
		t.Run(name, func(t *testing.T) {
			w.forget()
			ours, b := labRole(), labBinding()
			w.answers[role], w.answers[binding] = ours, b
			if test.change != nil {
				test.change(w, ours, b)
			}
			for key := range w.codes {
				delete(w.answers, key)
			}
			var mu sync.Mutex
			asked := map[string]bool{}
			w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if req.Method == http.MethodGet {
					w.answer(rw, req)
					return
				}
				body, err := io.ReadAll(req.Body)
				if err != nil {
					t.Error(err)
				}
				review := &authorizationv1.SubjectAccessReview{}
				if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, review); err != nil {
					t.Error(err)
				}
				review.TypeMeta = metav1.TypeMeta{Kind: "SubjectAccessReview", APIVersion: "authorization.k8s.io/v1"}
				a := review.Spec.ResourceAttributes
				what := a.Verb + " " + a.Subresource
				if review.Spec.User != "kubernetes" || a.Resource != "nodes" || strings.Join(review.Spec.Groups, ",") != "system:authenticated,Kubernetes" {
					t.Errorf("asked about %+v", review.Spec)
				}
				asked[what] = true
				review.Status.Allowed = !slices.Contains(strings.Split(test.denied, ", "), what)
				rw.Header().Set("Content-Type", "application/json")
				if err := json.NewEncoder(rw).Encode(review); err != nil {
					t.Error(err)
				}
			})
			r := checkRBAC(t.Context(), Target{Kubeconfig: w.files.AdminKubeconfig, KubeletClientCertificate: w.files.Cert})
			wants(t, r, test.problem, test.next)
			if test.problem == "" && (len(asked) != 15 || len(r.output) != 5) {
				t.Errorf("asked %v, shows %q", asked, r.output)
			}
		})
	}
}

func TestRBACNeedsAClientCertificate(t *testing.T) {
	f := files(t, 6443)
	for path, says := range map[string]string{"": "no client certificate", f.CA + ".gone": "no such file", f.EncryptionConfig: "client certificate for kubelets"} {
		wants(t, checkRBAC(t.Context(), Target{Kubeconfig: f.AdminKubeconfig, KubeletClientCertificate: path}), says, "kubelet-client-certificate")
	}
}

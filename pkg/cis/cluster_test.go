// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/profile"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// fresh is what a cluster has at the beginning.
func fresh() []runtime.Object {
	byDefault := map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"}
	all := []runtime.Object{
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: clusterAdmin, Labels: byDefault},
			Rules: []rbacv1.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: clusterAdmin, Labels: byDefault},
			RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: clusterAdmin}, Subjects: []rbacv1.Subject{{Kind: "Group", Name: "system:masters"}}},
	}
	for _, n := range []string{"default", "kube-system", "kube-public", "kube-node-lease"} {
		all = append(all, &corev1.Namespace{ObjectMeta: meta("", n)})
	}
	return all
}

// cluster has objects beside those of a fresh one.
func cluster(groups []string, more ...runtime.Object) Cluster {
	client := fake.NewClientset(append(fresh(), more...)...)
	client.PrependReactor("create", "selfsubjectreviews", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, &authenticationv1.SelfSubjectReview{Status: authenticationv1.SelfSubjectReviewStatus{UserInfo: authenticationv1.UserInfo{Groups: groups}}}, nil
	})
	return Cluster{Client: client, Explain: func(err error) *verify.Failure {
		return &verify.Failure{Problem: err.Error(), Next: "see the apiserver"}
	}}
}

// found returns what there is in a cluster.
func found(t *testing.T, c Cluster) *objects {
	t.Helper()
	o, problem := c.objects(t.Context())
	if problem != nil {
		t.Fatal(problem)
	}
	return o
}

// pod is one that runs, as admission leaves it.
func pod(namespace string, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: meta(namespace, "p"), Spec: corev1.PodSpec{
		ServiceAccountName: "app", SecurityContext: &corev1.PodSecurityContext{}, Containers: []corev1.Container{{Name: "c"}},
	}}
	change(p)
	return p
}

// bindingTo is the ClusterRoleBinding b.
func bindingTo(role string, subject rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{ObjectMeta: meta("", "b"), RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: []rbacv1.Subject{subject}}
}

func granting(group, resource string, verbs ...string) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: meta("", "granting"), Rules: []rbacv1.PolicyRule{{Verbs: verbs, APIGroups: []string{group}, Resources: []string{resource}}}}
}

var (
	everybody = rbacv1.Subject{Kind: "Group", Name: "system:authenticated"}
	somebody  = rbacv1.Subject{Kind: "User", Name: "somebody"}
)

func TestAFreshCluster(t *testing.T) {
	o := found(t, cluster([]string{"system:masters"}))
	c := config.Config{Profiles: []string{profile.CIS}}
	for _, i := range items() {
		if i.judgeCluster == nil {
			continue
		}
		want := map[string]verify.Outcome{
			"5.1.7": verify.Differs, "5.2.6": verify.Differs, "5.2.7": verify.Differs, "5.2.8": verify.Differs, "5.2.9": verify.Differs,
			"5.3.1": verify.Skipped, "5.4.2": verify.Skipped, "5.5.1": verify.Differs, "5.6.1": verify.Skipped,
		}[i.id]
		if want == "" {
			want = verify.Passed
		}
		if v := judged(t, c, i.id, o); v.outcome != want {
			t.Errorf("%s: %+v, want %s", i.id, v, want)
		}
	}
	// Without the profile, nothing keeps pods out.
	wants(t, judged(t, config.Config{}, "5.2.2", o), verify.Failed, "namespaces that do not enforce baseline: default")
}

func TestWhatClustersHaveAgainstThem(t *testing.T) {
	token := func(namespace string, kind corev1.SecretType, data map[string]string) *corev1.Secret {
		s := &corev1.Secret{ObjectMeta: meta(namespace, "t"), Type: kind, Data: map[string][]byte{}}
		for k, v := range data {
			s.Data[k] = []byte(v)
		}
		return s
	}
	mounted := corev1.Volume{Name: "kube-api-access-x", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}}
	tomorrow := time.Now().Add(24 * time.Hour).Format(time.RFC3339)
	bootstrapTokens := args(lab.APIServer, "enable-bootstrap-token-auth=true")
	level := func(l string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "app", Labels: map[string]string{"pod-security.kubernetes.io/enforce": l}}}
	}
	for name, test := range map[string]struct {
		id      string
		objects []runtime.Object
		args    map[lab.Component][]lab.Override
		want    verify.Outcome
		words   string
	}{
		"tokens for ever":     {"3.1.2", []runtime.Object{token("app", corev1.SecretTypeServiceAccountToken, nil)}, nil, verify.Failed, "app/t"},
		"other secrets":       {"3.1.2", []runtime.Object{token("app", corev1.SecretTypeOpaque, nil)}, nil, verify.Passed, ""},
		"a bootstrap token":   {"3.1.3", []runtime.Object{token("kube-system", "bootstrap.kubernetes.io/token", map[string]string{"expiration": tomorrow})}, bootstrapTokens, verify.Passed, "ends"},
		"one for ever":        {"3.1.3", []runtime.Object{token("kube-system", "bootstrap.kubernetes.io/token", nil)}, bootstrapTokens, verify.Failed, "without an end: t"},
		"another admin":       {"5.1.1", []runtime.Object{bindingTo(clusterAdmin, somebody)}, nil, verify.Failed, "delete clusterrolebinding b"},
		"Secrets for all":     {"5.1.2", []runtime.Object{granting("", "secrets", "list"), bindingTo("granting", everybody)}, nil, verify.Failed, "may read Secrets, by the binding b"},
		"Secrets for one":     {"5.1.2", []runtime.Object{granting("", "secrets", "list"), bindingTo("granting", somebody)}, nil, verify.Passed, "by which somebody may read Secrets: b"},
		"another group":       {"5.1.2", []runtime.Object{granting("x", "secrets", "list"), bindingTo("granting", everybody)}, nil, verify.Passed, "nobody"},
		"wildcards":           {"5.1.3", []runtime.Object{granting("", "*", "get")}, nil, verify.Failed, "granting"},
		"pods for all":        {"5.1.4", []runtime.Object{granting("", "pods", "create"), bindingTo("granting", everybody)}, nil, verify.Failed, "make pods"},
		"default is bound":    {"5.1.5", []runtime.Object{bindingTo("view", rbacv1.Subject{Kind: "ServiceAccount", Name: "default", Namespace: "app"})}, nil, verify.Failed, "bindings of a default"},
		"default is used":     {"5.1.5", []runtime.Object{pod("app", func(p *corev1.Pod) { p.Spec.ServiceAccountName, p.Spec.Volumes = "default", []corev1.Volume{mounted} })}, nil, verify.Failed, "app/p"},
		"default, no token":   {"5.1.5", []runtime.Object{pod("app", func(p *corev1.Pod) { p.Spec.ServiceAccountName = "default" })}, nil, verify.Passed, ""},
		"a token":             {"5.1.6", []runtime.Object{pod("app", func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{mounted} })}, nil, verify.Skipped, "1 of 1"},
		"impersonation":       {"5.1.8", []runtime.Object{granting("", "users", "impersonate"), bindingTo("granting", everybody)}, nil, verify.Failed, "impersonate"},
		"escalation":          {"5.1.8", []runtime.Object{granting("rbac.authorization.k8s.io", "clusterroles", "escalate"), bindingTo("granting", everybody)}, nil, verify.Failed, "escalate"},
		"the lab's kubelets":  {"5.1.8", []runtime.Object{granting("", "nodes/proxy", "*"), bindingTo("granting", somebody)}, nil, verify.Passed, "nobody"},
		"volumes":             {"5.1.9", []runtime.Object{granting("", "persistentvolumes", "*"), bindingTo("granting", everybody)}, nil, verify.Failed, "make PersistentVolumes"},
		"kubelets":            {"5.1.10", []runtime.Object{granting("", "nodes/proxy", "get"), bindingTo("granting", everybody)}, nil, verify.Failed, "nodes/proxy"},
		"approval":            {"5.1.11", []runtime.Object{granting("certificates.k8s.io", "certificatesigningrequests/approval", "update"), bindingTo("granting", everybody)}, nil, verify.Failed, "approve"},
		"webhooks":            {"5.1.12", []runtime.Object{granting("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "create"), bindingTo("granting", everybody)}, nil, verify.Failed, "webhooks"},
		"tokens":              {"5.1.13", []runtime.Object{granting("", "serviceaccounts/token", "create"), bindingTo("granting", everybody)}, nil, verify.Failed, "make tokens"},
		"a privileged one":    {"5.2.1", []runtime.Object{level("privileged")}, nil, verify.Failed, "by their labels or an exemption: app"},
		"a webhook for pods":  {"5.2.1", []runtime.Object{level("privileged"), podWebhook()}, nil, verify.Passed, "policy"},
		"PodSecurity off":     {"5.2.2", nil, args(lab.APIServer, "disable-admission-plugins=PodSecurity"), verify.Failed, "PodSecurity is off"},
		"a restricted one":    {"5.2.7", []runtime.Object{level("restricted")}, nil, verify.Differs, "namespace default"},
		"a baseline one":      {"5.2.7", []runtime.Object{level("baseline")}, nil, verify.Failed, "namespace app pod-security.kubernetes.io/enforce=restricted"},
		"no network policy":   {"5.3.2", []runtime.Object{pod("app", func(*corev1.Pod) {})}, nil, verify.Failed, "without a NetworkPolicy: app"},
		"a network policy":    {"5.3.2", []runtime.Object{pod("app", func(*corev1.Pod) {}), &networkingv1.NetworkPolicy{ObjectMeta: meta("app", "n")}}, nil, verify.Passed, ""},
		"pods of the cluster": {"5.3.2", []runtime.Object{pod("kube-system", func(*corev1.Pod) {})}, nil, verify.Passed, ""},
		"a secret in env": {"5.4.1", []runtime.Object{pod("app", func(p *corev1.Pod) {
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "X", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{}}}}
		})}, nil, verify.Failed, "app/p"},
		"a secret as env": {"5.4.1", []runtime.Object{pod("app", func(p *corev1.Pod) {
			p.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{}}}
		})}, nil, verify.Failed, "app/p"},
		"who judges images": {"5.5.1", []runtime.Object{podWebhook()}, nil, verify.Passed, "policy"},
		"no seccomp":        {"5.6.2", []runtime.Object{pod("app", func(*corev1.Pod) {})}, nil, verify.Failed, "RuntimeDefault"},
		"unconfined": {"5.6.2", []runtime.Object{pod("app", func(p *corev1.Pod) {
			p.Spec.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
		})}, nil, verify.Failed, "app/p"},
		"seccomp": {"5.6.2", []runtime.Object{pod("app", func(p *corev1.Pod) {
			p.Spec.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
		})}, nil, verify.Passed, ""},
		"no context":           {"5.6.3", []runtime.Object{pod("app", func(*corev1.Pod) {})}, nil, verify.Failed, "a securityContext"},
		"a pod in default":     {"5.6.4", []runtime.Object{pod("default", func(*corev1.Pod) {})}, nil, verify.Failed, "pods in default: p"},
		"one that has ended":   {"5.6.4", []runtime.Object{pod("default", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })}, nil, verify.Passed, ""},
		"an image policy":      {"5.5.1", nil, args(lab.APIServer, "enable-admission-plugins=ImagePolicyWebhook"), verify.Passed, "ImagePolicyWebhook"},
		"no bootstrap tokens":  {"3.1.3", []runtime.Object{token("kube-system", "bootstrap.kubernetes.io/token", nil)}, nil, verify.Passed, "not set"},
		"restricted for a pod": {"5.2.2", []runtime.Object{level("restricted")}, nil, verify.Passed, "enforces baseline"},
	} {
		t.Run(name, func(t *testing.T) {
			o := found(t, cluster([]string{"system:masters"}, test.objects...))
			wants(t, judged(t, config.Config{Profiles: []string{profile.CIS}, Args: test.args}, test.id, o), test.want, test.words)
		})
	}
}

func podWebhook() *admissionregistrationv1.ValidatingWebhookConfiguration {
	return &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: meta("", "policy"), Webhooks: []admissionregistrationv1.ValidatingWebhook{{
		Name: "policy.example.org", Rules: []admissionregistrationv1.RuleWithOperations{{Rule: admissionregistrationv1.Rule{Resources: []string{"pods"}}}},
	}}}
}

func TestSomebodyWhoIsNoMaster(t *testing.T) {
	o := found(t, cluster([]string{"admins"}))
	wants(t, judged(t, config.Config{}, "5.1.7", o), verify.Passed, "admins")
}

func TestPodSecurityInAFileOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"admission.yaml": "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins: [{name: PodSecurity, path: ps.yaml}]\n",
		"ps.yaml":        "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\ndefaults: {enforce: restricted}\nexemptions: {namespaces: [app]}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := config.Config{Args: args(lab.APIServer, "admission-control-config-file="+filepath.Join(dir, "admission.yaml"))}
	wants(t, judged(t, c, "5.2.7", found(t, cluster(nil))), verify.Passed, "enforces restricted")
	wants(t, judged(t, c, "5.2.7", found(t, cluster(nil, &corev1.Namespace{ObjectMeta: meta("", "app")}))), verify.Failed, "an exemption: app")
}

// TestAClusterThatCannotBeAsked wants one failure of that, and nothing to pass for it.
func TestAClusterThatCannotBeAsked(t *testing.T) {
	c := cluster(nil)
	c.Client.(*fake.Clientset).PrependReactor("list", "pods", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("no such luck")
	})
	for _, asked := range []Cluster{c, {Problem: &verify.Failure{Problem: "no such luck", Next: "find the kubeconfig"}}} {
		var results []Result
		err := withPlan(config.Config{Root: made(t), Profiles: []string{profile.CIS}}, func(p *plan.Plan) error {
			results = Run(t.Context(), p, 0, asked)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var failed []string
		for _, r := range results {
			i := itemOf(t, r.ID)
			switch {
			case r.Outcome == verify.Failed:
				failed = append(failed, r.ID)
				if r.Failures[0].Problem != "no such luck" {
					t.Errorf("%s fails: %v", r.ID, r.Failures)
				}
			case i.judgeCluster != nil && (r.Outcome != verify.Skipped || !strings.Contains(r.Skipped, "3.1.2")):
				t.Errorf("%s: %s %s", r.ID, r.Outcome, r.Skipped)
			}
		}
		if len(failed) != 1 || failed[0] != "3.1.2" {
			t.Errorf("%v fail", failed)
		}
	}
}

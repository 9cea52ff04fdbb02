// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/profile"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

// madeRoot is a root with all of the lab's files and the profile's, which are made once.
var madeRoot = sync.OnceValues(func() (string, error) {
	root, err := os.MkdirTemp("", "khw-cis-")
	if err != nil {
		return "", err
	}
	return root, withPlan(config.Config{Root: root, Profiles: []string{profile.CIS}}, (*plan.Plan).GenerateMissing)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if root, err := madeRoot(); err == nil {
		os.RemoveAll(root)
	}
	os.Exit(code)
}

func made(t *testing.T) string {
	t.Helper()
	root, err := madeRoot()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func withPlan(c config.Config, do func(*plan.Plan) error) error {
	p, err := newPlan(c)
	if err != nil {
		return err
	}
	defer p.Close()
	return do(p)
}

func newPlan(c config.Config) (*plan.Plan, error) {
	c.AdvertiseAddress = "192.0.2.10"
	return plan.New(context.Background(), &c)
}

// judged is how one item ends for a configuration.
func judged(t *testing.T, c config.Config, id string, o *objects) verdict {
	t.Helper()
	c.Root = cmp.Or(c.Root, made(t))
	var v verdict
	err := withPlan(c, func(p *plan.Plan) error {
		i := itemOf(t, id)
		in := &input{Plan: p, owner: os.Geteuid()}
		if i.judge != nil {
			v = i.judge(in)
		} else {
			v = i.judgeCluster(in, o)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func itemOf(t *testing.T, id string) item {
	t.Helper()
	all := items()
	i := slices.IndexFunc(all, func(i item) bool { return i.id == id })
	if i < 0 {
		t.Fatalf("there is no item %s", id)
	}
	return all[i]
}

// wants holds a verdict against an outcome, and words of what it says.
func wants(t *testing.T, v verdict, o verify.Outcome, words string) {
	t.Helper()
	said := fmt.Sprint(v.seen, v.failures, v.why)
	if v.outcome != o || !strings.Contains(said, words) {
		t.Errorf("%s %s, want %s with %q", v.outcome, said, o, words)
	}
	for _, f := range v.failures {
		if f.Problem == "" || f.Next == "" {
			t.Errorf("%+v: a failure without a fix", f)
		}
	}
}

// args are flags of a component, set by a user.
func args(c lab.Component, set ...string) map[lab.Component][]lab.Override {
	var all []lab.Override
	for _, a := range set {
		all = append(all, lab.Override{Arg: lab.ParseArg(a), Source: config.FromFlag})
	}
	return map[lab.Component][]lab.Override{c: all}
}

// TestEveryNumberIsThereOnce wants the items in the benchmark's order.
func TestEveryNumberIsThereOnce(t *testing.T) {
	want := map[string]int{"1.1": 21, "1.2": 30, "1.3": 7, "1.4": 2, "2": 7, "3.1": 3, "3.2": 2, "5.1": 13, "5.2": 12, "5.3": 2, "5.4": 2, "5.5": 1, "5.6": 4}
	count := map[string]int{}
	for _, i := range items() {
		dot := strings.LastIndex(i.id, ".")
		section := i.id[:dot]
		count[section]++
		if n, err := strconv.Atoi(i.id[dot+1:]); err != nil || n != count[section] {
			t.Errorf("%s comes after %s.%d", i.id, section, count[section]-1)
		}
		if i.title == "" || Section(i.id) == "" || (i.judge == nil) == (i.judgeCluster == nil) {
			t.Errorf("%s: %q in %q", i.id, i.title, Section(i.id))
		}
	}
	for section, n := range want {
		if count[section] != n {
			t.Errorf("%d items in %s, want %d", count[section], section, n)
		}
	}
	if len(count) != len(want) {
		t.Errorf("the sections are %v", count)
	}
}

// TestWhatTheProfileIsFor wants each item that the profile is for to fail, or to differ,
// without it, and to pass with it.
func TestWhatTheProfileIsFor(t *testing.T) {
	for id, without := range map[string]verify.Outcome{
		"1.2.1": verify.Failed, "1.2.3": verify.Failed, "1.2.9": verify.Failed, "1.2.15": verify.Failed, "1.2.18": verify.Differs,
		"1.2.29": verify.Failed, "1.2.30": verify.Failed, "1.3.1": verify.Failed, "1.3.2": verify.Failed, "1.3.7": verify.Differs,
		"1.4.1": verify.Failed, "1.4.2": verify.Differs, "3.2.1": verify.Failed, "3.2.2": verify.Failed,
	} {
		t.Run(id, func(t *testing.T) {
			words := ""
			if without == verify.Failed {
				words = "profile: cis"
			}
			wants(t, judged(t, config.Config{}, id, nil), without, words)
			wants(t, judged(t, config.Config{Profiles: []string{profile.CIS}}, id, nil), verify.Passed, "")
		})
	}
}

// TestTheRestOfTheLab wants what the lab has itself to pass, or to differ, with the
// profile and without it.
func TestTheRestOfTheLab(t *testing.T) {
	differ := []string{"1.2.11", "2.7", "3.1.1"}
	profiled := []string{"1.2.1", "1.2.3", "1.2.9", "1.2.15", "1.2.18", "1.2.29", "1.2.30", "1.3.1", "1.3.2", "1.3.7", "1.4.1", "1.4.2", "3.2.1", "3.2.2"}
	for _, i := range items() {
		if i.judge == nil || strings.HasPrefix(i.id, "1.1.") || slices.Contains(profiled, i.id) {
			continue
		}
		want := verify.Passed
		if slices.Contains(differ, i.id) {
			want = verify.Differs
		}
		for _, profiles := range [][]string{nil, {profile.CIS}, {profile.CIS, profile.Edge}} {
			if v := judged(t, config.Config{Profiles: profiles}, i.id, nil); v.outcome != want || (v.outcome == verify.Differs) != (v.why != "") {
				t.Errorf("%s with the profiles %v: %+v, want %s", i.id, profiles, v, want)
			}
		}
	}
}

func TestEveryItemCanFail(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tokens := write("tokens.csv", "token,somebody,1\n")
	authentication := write("authentication.yaml", "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"+
		"anonymous: {enabled: true, conditions: [{path: /livez}, {path: /metrics}]}\n")
	health := write("health.yaml", "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous: {enabled: true, conditions: [{path: /livez}]}\n")
	authorization := write("authorization.yaml", "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers: [{type: Webhook, name: x}]\n")
	admission := write("admission.yaml", "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins: []\n")
	bodies := write("bodies.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n")
	little := write("little.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata, resources: [{group: \"\", resources: [secrets]}]}]\n")
	gcm := write("gcm.yaml", "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers: [{aesgcm: {keys: [{name: k, secret: MDEyMzQ1Njc4OWFiY2RlZg==}]}}]\n")
	plain := write("plain.yaml", "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers: [{identity: {}}]\n")
	profiles := write("scheduler.yaml", "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"+
		"clientConnection: {kubeconfig: /var/lib/kubernetes/kube-scheduler.kubeconfig}\nenableProfiling: true\n")

	const api, kcm, sched = lab.APIServer, lab.ControllerManager, lab.Scheduler
	for _, test := range []struct {
		id, words string
		of        lab.Component
		args      []string
	}{
		{"1.2.1", "set --kube-apiserver-arg anonymous-auth=false", api, []string{"anonymous-auth=true"}},
		{"1.2.1", "/metrics", api, []string{"authentication-config=" + authentication}},
		{"1.2.2", "tokens that never end", api, []string{"token-auth-file=" + tokens}},
		{"1.2.3", "add it to", api, []string{"enable-admission-plugins=NodeRestriction"}},
		{"1.2.3", "take it out of --kube-apiserver-arg disable-admission-plugins", api, []string{"disable-admission-plugins=DenyServiceExternalIPs"}},
		{"1.2.4", "--kubelet-client-certificate is not set", api, []string{"kubelet-client-certificate-"}},
		{"1.2.5", "--kubelet-certificate-authority is not set", api, []string{"kubelet-certificate-authority-"}},
		{"1.2.6", "everybody may do everything", api, []string{"authorization-mode=AlwaysAllow"}},
		{"1.2.7", "Node is not among RBAC", api, []string{"authorization-mode=RBAC"}},
		{"1.2.8", "RBAC is not among Node", api, []string{"authorization-mode=Node"}},
		{"1.2.8", "authorization.yaml", api, []string{"authorization-config=" + authorization}},
		{"1.2.9", "no configuration for it in the file of --admission-control-config-file: " + admission, api, []string{"admission-control-config-file=" + admission}},
		{"1.2.9", "no configuration for it in the file of --admission-control-config-file: none", api, []string{"admission-control-config-file-"}},
		{"1.2.10", "AlwaysAdmit", api, []string{"enable-admission-plugins=AlwaysAdmit"}},
		{"1.2.12", "ServiceAccount is disabled", api, []string{"disable-admission-plugins=ServiceAccount"}},
		{"1.2.13", "NamespaceLifecycle is disabled", api, []string{"disable-admission-plugins=NamespaceLifecycle"}},
		{"1.2.14", "NodeRestriction is off", api, []string{"enable-admission-plugins=EventRateLimit"}},
		{"1.2.15", "set --kube-apiserver-arg profiling=false", api, []string{"profiling=true"}},
		{"1.2.16", "no audit log is written", api, []string{"audit-log-path-"}},
		{"1.2.17", "--audit-log-maxage is 7", api, []string{"audit-log-maxage=7"}},
		{"1.2.18", "--audit-log-maxbackup is 3", api, []string{"audit-log-maxbackup=3"}},
		{"1.2.19", "--audit-log-maxsize is 10", api, []string{"audit-log-maxsize=10"}},
		{"1.2.20", "may take 1h", api, []string{"request-timeout=1h"}},
		{"1.2.21", "not looked up", api, []string{"service-account-lookup=false"}},
		{"1.2.22", "no file is named", api, []string{"service-account-key-file-"}},
		{"1.2.23", "--etcd-keyfile is not set", api, []string{"etcd-keyfile-"}},
		{"1.2.24", "--tls-cert-file is not set", api, []string{"tls-cert-file-"}},
		{"1.2.25", "--client-ca-file is not set", api, []string{"client-ca-file-"}},
		{"1.2.26", "--etcd-cafile is not set", api, []string{"etcd-cafile-"}},
		{"1.2.27", "--encryption-provider-config is not set", api, []string{"encryption-provider-config-"}},
		{"1.2.28", "aesgcm, which is not safe", api, []string{"encryption-provider-config=" + gcm}},
		{"1.2.28", "Secrets are not encrypted", api, []string{"encryption-provider-config=" + plain}},
		{"1.2.29", "weak: TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", api, []string{"tls-cipher-suites=TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305,TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"}},
		{"1.2.30", "good for a year", api, []string{"service-account-extend-token-expiration=true"}},
		{"1.3.1", "for ever", kcm, []string{"terminated-pod-gc-threshold=0"}},
		{"1.3.2", "set --kube-controller-manager-arg profiling=false", kcm, []string{"profiling=true"}},
		{"1.3.3", "with the rights of one user", kcm, []string{"use-service-account-credentials=false"}},
		{"1.3.4", "--service-account-private-key-file is not set", kcm, []string{"service-account-private-key-file-"}},
		{"1.3.5", "--root-ca-file is not set", kcm, []string{"root-ca-file-"}},
		{"1.3.6", "the feature gate RotateKubeletServerCertificate is off", kcm, []string{"feature-gates=RotateKubeletServerCertificate=false"}},
		{"1.3.7", "other machines reach it at 0.0.0.0", kcm, []string{"bind-address=0.0.0.0"}},
		{"1.4.1", "set --kube-scheduler-arg profiling=false", sched, []string{"profiling=true"}},
		{"1.4.1", "remove enableProfiling from " + profiles, sched, []string{"config=" + profiles}},
		{"1.4.2", "other machines reach it at 192.0.2.10", sched, []string{"bind-address=192.0.2.10"}},
		{"2.1", "without a certificate", profile.Etcd, []string{"listen-client-urls=http://127.0.0.1:2379"}},
		{"2.2", "set --etcd-arg client-cert-auth=true", profile.Etcd, []string{"client-cert-auth=false"}},
		{"2.3", "set --etcd-arg auto-tls=false", profile.Etcd, []string{"auto-tls=true"}},
		{"2.4", "without a certificate", profile.Etcd, []string{"listen-peer-urls=http://127.0.0.1:2380"}},
		{"2.5", "set --etcd-arg peer-client-cert-auth=true", profile.Etcd, []string{"peer-client-cert-auth=false"}},
		{"2.6", "set --etcd-arg peer-auto-tls=false", profile.Etcd, []string{"peer-auto-tls=true"}},
		{"3.2.1", "nowhere to write to", api, []string{"audit-log-path-"}},
		{"3.2.2", "recorded with what is secret: get secrets", api, []string{"audit-policy-file=" + bodies}},
		{"3.2.2", "not recorded: create configmaps", api, []string{"audit-policy-file=" + little}},
		{"3.2.2", "correct /nowhere.yaml", api, []string{"audit-policy-file=/nowhere.yaml"}},
	} {
		t.Run(test.id+" "+strings.Join(test.args, " "), func(t *testing.T) {
			c := config.Config{Profiles: []string{profile.CIS}, Args: args(test.of, test.args...)}
			if test.of == profile.Etcd {
				c.Args, c.EtcdArgs = nil, c.Args[profile.Etcd]
			}
			if test.of == lab.ControllerManager && strings.HasPrefix(test.args[0], "feature-gates") {
				c.Args, c.FeatureGates = nil, strings.TrimPrefix(test.args[0], "feature-gates=")
			}
			wants(t, judged(t, c, test.id, nil), verify.Failed, test.words)
		})
	}
	t.Run("health checks only", func(t *testing.T) {
		c := config.Config{Profiles: []string{profile.CIS}, Args: args(api, "authentication-config="+health)}
		wants(t, judged(t, c, "1.2.1", nil), verify.Passed, "health checks only")
	})
	t.Run("external etcd", func(t *testing.T) {
		c := config.Config{EtcdServers: []string{"https://192.0.2.20:2379"}}
		for _, id := range []string{"1.1.11", "1.1.12", "2.1", "2.6"} {
			wants(t, judged(t, c, id, nil), verify.Skipped, "not embedded")
		}
	})
}

func TestFiles(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(made(t))); err != nil {
		t.Fatal(err)
	}
	below := func(path string) string { return filepath.Join(root, path) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(below("etc/kubernetes/config"), 0o755))
	must(os.MkdirAll(below("var/lib/etcd"), 0o700))
	file := below("etc/kubernetes/config/khw-controller.yaml")
	must(os.WriteFile(file, []byte("{}\n"), 0o600))
	for _, key := range []string{"ca-key.pem", "kubernetes-key.pem", "service-account-key.pem", "encryption-config.yaml", "admin.kubeconfig",
		"kube-scheduler.kubeconfig", "kube-controller-manager.kubeconfig"} {
		must(os.Chmod(below("var/lib/kubernetes/"+key), 0o600))
	}
	c := config.Config{Root: root, File: file}
	for _, test := range []struct {
		id, path    string
		good, worse os.FileMode
		bad         os.FileMode
		words       string
	}{
		{"1.1.1", file, 0o600, 0o644, 0o664, "chmod 0644"},
		{"1.1.7", file, 0o600, 0o644, 0o646, "chmod 0644"},
		{"1.1.11", below("var/lib/etcd"), 0o700, 0, 0o750, "chmod 0700"},
		{"1.1.13", below("var/lib/kubernetes/admin.kubeconfig"), 0o600, 0, 0o644, "chmod 0600"},
		{"1.1.15", below("var/lib/kubernetes/kube-scheduler.kubeconfig"), 0o600, 0, 0o640, "chmod 0600"},
		{"1.1.17", below("var/lib/kubernetes/kube-controller-manager.kubeconfig"), 0o400, 0, 0o604, "chmod 0600"},
		{"1.1.20", below("var/lib/kubernetes/kubernetes.pem"), 0o644, 0, 0o664, "chmod 0644"},
		{"1.1.21", below("var/lib/kubernetes/ca-key.pem"), 0o600, 0, 0o640, "chmod 0600"},
		{"1.1.21", below("var/lib/kubernetes/encryption-config.yaml"), 0o600, 0, 0o644, "encryption-config.yaml has the mode 0644"},
	} {
		for mode, want := range map[os.FileMode]verify.Outcome{test.good: verify.Passed, test.worse: verify.Differs, test.bad: verify.Failed} {
			if mode == 0 {
				continue
			}
			must(os.Chmod(test.path, mode))
			words := ""
			if want == verify.Failed {
				words = test.words
			}
			wants(t, judged(t, c, test.id, nil), want, words)
		}
		must(os.Chmod(test.path, test.good))
	}
	must(os.Remove(below("var/lib/kubernetes/admin.kubeconfig")))
	wants(t, judged(t, c, "1.1.13", nil), verify.Skipped, "no such file")
	wants(t, judged(t, config.Config{Root: root}, "1.1.1", nil), verify.Skipped, "no config file")
	wants(t, judged(t, config.Config{Root: root}, "1.1.2", nil), verify.Skipped, "no config file")
}

// TestOwners has the control plane run as somebody else, which takes root.
func TestOwners(t *testing.T) {
	dir := t.TempDir()
	const somebody = 12345
	theirs := filepath.Join(dir, "theirs")
	if err := os.WriteFile(theirs, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	in := &input{owner: os.Geteuid()}
	if os.Geteuid() != 0 {
		wants(t, in.owners("", theirs), verify.Differs, "who is not root and has to read it")
		in.owner = somebody
		wants(t, in.owners("", theirs), verify.Failed, "chown 12345:")
		return
	}
	wants(t, in.owners("", theirs), verify.Passed, "theirs root")
	if err := os.Chown(theirs, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	wants(t, in.owners("", theirs), verify.Failed, "chown root:")
	in.owner = somebody
	wants(t, in.owners("", theirs), verify.Differs, "runs as 12345, who is not root")
	wants(t, in.owners("", filepath.Join(dir, "none")), verify.Skipped, "no such file")

	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(made(t))); err != nil {
		t.Fatal(err)
	}
	c := config.Config{Root: root}
	wants(t, judged(t, c, "1.1.19", nil), verify.Passed, "audit-policy.yaml root")
	left := filepath.Join(root, "var/lib/kubernetes/left-behind")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(left, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	wants(t, judged(t, c, "1.1.19", nil), verify.Failed, left+" belongs to somebody")
}

// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/inventory"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/machine"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

func TestAProfileIsBelowWhatTheUserSets(t *testing.T) {
	override := func(arg string) []lab.Override {
		return []lab.Override{{Arg: lab.ParseArg(arg), Source: config.FromFlag}}
	}
	root := t.TempDir()
	scheduler := paths.SchedulerConfig.Below(root)
	if err := os.MkdirAll(filepath.Dir(scheduler), 0o755); err != nil {
		t.Fatal(err)
	}
	const file = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n" +
		"clientConnection: {kubeconfig: /var/lib/kubernetes/kube-scheduler.kubeconfig}\nleaderElection: {leaseDuration: 90s}\n"
	if err := os.WriteFile(scheduler, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	p, err := planFor(t, config.Config{
		Root: root, Profiles: []string{"edge"}, HealthzGrace: -1, Controllers: []string{host + "=192.0.2.10", "b=192.0.2.11", "c=192.0.2.12"},
		EtcdArgs: override("election-timeout=7000"),
		Args: map[lab.Component][]lab.Override{
			lab.APIServer:         override("etcd-healthcheck-timeout=3s"),
			lab.ControllerManager: override("leader-elect-renew-deadline=30s"),
		},
		AdvertiseAddress: "192.0.2.10",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := func(c lab.Component, name string) (value, source string) {
		for _, s := range p.Flags[c] {
			if s.Name == name {
				value, source = s.Value, s.Source
			}
		}
		return value, source
	}
	for _, want := range []struct {
		component           lab.Component
		name, value, source string
	}{
		{lab.APIServer, "etcd-healthcheck-timeout", "3s", config.FromFlag},
		{lab.APIServer, "etcd-readycheck-timeout", "10s", "profile edge"},
		{lab.ControllerManager, "leader-elect-lease-duration", "1m0s", "profile edge"},
		{lab.ControllerManager, "leader-elect-renew-deadline", "30s", config.FromFlag},
		{lab.Scheduler, "leader-elect-lease-duration", "", ""}, // the file's
		{lab.Scheduler, "leader-elect-renew-deadline", "40s", "profile edge"},
	} {
		if value, source := got(want.component, want.name); value != want.value || source != want.source {
			t.Errorf("%s --%s is %q by %q, want %q by %q", want.component, want.name, value, source, want.value, want.source)
		}
	}
	if p.Etcd.TickMs != 500 || p.Etcd.ElectionMs != 7000 || p.HealthGrace != 10*time.Second {
		t.Errorf("etcd ticks each %d ms and elects after %d, the grace is %s", p.Etcd.TickMs, p.Etcd.ElectionMs, p.HealthGrace)
	}
	if got := p.ControllerManager.Generic.LeaderElection; got.LeaseDuration.Duration != time.Minute || got.RenewDeadline.Duration != 30*time.Second {
		t.Errorf("the controller-manager's election is %+v", got)
	}
	for _, r := range lab.Rows(p.Flags, p.Dropped) {
		if r.Name == "etcd-readycheck-timeout" && r.Source != "profile edge" {
			t.Errorf("flags shows %+v", r)
		}
	}
}

func TestAProfileAlone(t *testing.T) {
	p, err := planFor(t, config.Config{Profiles: []string{"edge"}, HealthzGrace: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if p.Etcd.TickMs != 50 || p.HealthGrace != 3*time.Second {
		t.Errorf("alone: etcd ticks each %d ms, the grace is %s", p.Etcd.TickMs, p.HealthGrace)
	}
	p, err = planFor(t, config.Config{Profiles: []string{"edge"}, EtcdServers: []string{"https://192.0.2.20:2379"}})
	if err != nil || p.Etcd != nil {
		t.Errorf("with an external etcd: %v", err)
	}
}

func TestGoMemoryLimit(t *testing.T) {
	edge := &config.Config{Profiles: []string{"edge"}}
	for name, test := range map[string]struct {
		config *config.Config
		size   machine.Size
		want   int64
	}{
		"no limit":          {&config.Config{}, machine.Size{Memory: 1 << 30}, 0},
		"of the unit":       {&config.Config{}, machine.Size{Memory: 8 << 30, Limit: 1 << 30}, 864 << 20},
		"edge":              {edge, machine.Size{Memory: 1 << 30}, 608 << 20},
		"edge, in the unit": {edge, machine.Size{Memory: 1 << 30, Limit: 700 << 20}, 540 << 20},
		"edge, not known":   {edge, machine.Size{}, 0},
	} {
		if got := (&Plan{Config: test.config, Machine: test.size}).GoMemoryLimit(); got != test.want {
			t.Errorf("%s: %d MiB, want %d", name, got>>20, test.want>>20)
		}
	}
}

// TestAProfileYieldsToFiles has what the profile sets drop out where the apiserver or
// etcd would refuse it beside what the user has set, or put into a file.
func TestAProfileYieldsToFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	anonymous := write("anonymous.yaml", "kind: AuthenticationConfiguration\nanonymous: {enabled: false}\n")
	jwt := write("jwt.yaml", "kind: AuthenticationConfiguration\njwt: []\n")
	limited := write("limited.yaml", "kind: AdmissionConfiguration\nplugins: [{name: EventRateLimit, path: /x}]\n")
	other := write("other.yaml", "kind: AdmissionConfiguration\nplugins: []\n")
	const plugins = "NamespaceLifecycle,NodeRestriction,LimitRanger,ServiceAccount,DefaultStorageClass,ResourceQuota,DenyServiceExternalIPs"
	for set, want := range map[string]struct{ flag, value string }{
		"event-ttl=2h":                             {"anonymous-auth", "false"},
		"authentication-config=" + jwt:             {"anonymous-auth", "false"},
		"authentication-config=" + anonymous:       {"anonymous-auth", ""},
		"anonymous-auth=true":                      {"anonymous-auth", "true"},
		"v=2":                                      {"enable-admission-plugins", plugins + ",EventRateLimit"},
		"admission-control-config-file=" + limited: {"enable-admission-plugins", plugins + ",EventRateLimit"},
		"admission-control-config-file=" + other:   {"enable-admission-plugins", plugins},
		"admission-control-config-file-":           {"enable-admission-plugins", plugins},
	} {
		p, err := planFor(t, config.Config{Profiles: []string{"cis"}, Args: map[lab.Component][]lab.Override{lab.APIServer: args(set)}})
		if err != nil {
			t.Fatal(err)
		}
		if got := lab.Get(p.Flags[lab.APIServer], want.flag); got != want.value {
			t.Errorf("%s: --%s=%s, want %q", set, want.flag, got, want.value)
		}
	}
	for set, want := range map[string]int{"tls-min-version=TLS1.2": 6, "tls-min-version=TLS1.3": 0, "cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": 1} {
		p, err := planFor(t, config.Config{Profiles: []string{"cis"}, EtcdArgs: args(set)})
		if err != nil || len(p.Etcd.CipherSuites) != want {
			t.Errorf("%s: etcd has %v, %v", set, p.Etcd.CipherSuites, err)
		}
	}
}

func TestFilesOfAProfileAreMadeOnce(t *testing.T) {
	c := config.Config{Root: t.TempDir(), Profiles: []string{"cis"}}
	made := func(c config.Config) (*Plan, string, string) {
		t.Helper()
		p, err := planFor(t, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.GenerateMissing(); err != nil {
			t.Fatal(err)
		}
		policy, _ := os.ReadFile(p.Path(paths.AuditPolicy))
		admission, _ := os.ReadFile(p.Path(paths.AdmissionConfig))
		return p, string(policy), string(admission)
	}
	without := c
	without.Profiles = nil
	if p, policy, admission := made(without); policy != "" || admission != "" || p.Unaudited() == "" {
		t.Errorf("without the profile: %q, %q, %q", policy, admission, p.Unaudited())
	}
	p, policy, admission := made(c)
	if policy == "" || admission == "" || p.Unaudited() != "" {
		t.Errorf("with it: %q, %q, %q", policy, admission, p.Unaudited())
	}
	all, err := inventory.Read(p.Path(paths.Inventory))
	if err != nil || !all.Has(p.Path(paths.AuditPolicy)) || !all.Has(p.Path(paths.AdmissionConfig)) {
		t.Errorf("they are not recorded as made: %v", err)
	}
	// One that is the user's stays, and the other is made anew.
	if err := os.WriteFile(p.Path(paths.AuditPolicy), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(p.Path(paths.AdmissionConfig)); err != nil {
		t.Fatal(err)
	}
	if _, policy, again := made(c); policy != "mine" || again != admission {
		t.Errorf("the policy is %q, the configuration %q", policy, again)
	}
	// Nothing is made for who has files elsewhere.
	elsewhere := config.Config{Root: t.TempDir(), Profiles: []string{"cis"},
		Args: map[lab.Component][]lab.Override{lab.APIServer: args("audit-policy-file=/a", "admission-control-config-file-")}}
	if _, policy, admission := made(elsewhere); policy != "" || admission != "" {
		t.Errorf("made for nobody: %q, %q", policy, admission)
	}
}

func TestUnaudited(t *testing.T) {
	for set, want := range map[string]string{
		"event-ttl=2h": "/var/log/audit.log stays empty", "audit-log-path=-": "there is no audit policy", "audit-log-path-": "there is no audit policy",
		"audit-policy-file=/p": "", "audit-policy-file=/p audit-log-path-": "nowhere to write to", "audit-policy-file=/p audit-log-path- audit-webhook-config-file=/w": "",
	} {
		p, err := planFor(t, config.Config{Args: map[lab.Component][]lab.Override{lab.APIServer: args(strings.Fields(set)...)}})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Unaudited(); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", set, got, want)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

func planFor(t *testing.T, c config.Config) (*Plan, error) {
	t.Helper()
	if c.Root == "" {
		c.Root = t.TempDir()
	}
	if c.AdvertiseAddress == "" {
		c.AdvertiseAddress = "192.0.2.10"
	}
	return NewPlan(context.Background(), &c)
}

func TestPlanAppliesEverySettingOfTheLab(t *testing.T) {
	p, err := planFor(t, config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range lab.Components() {
		for _, f := range lab.Flags(c) {
			if f.Current == "" {
				continue
			}
			if value := lab.Get(p.Settings[c], f.Current); value == "" {
				t.Errorf("%s --%s is not set", c, f.Current)
			}
		}
	}
	if got := p.apiServer.SecureServing.BindPort; got != 6443 {
		t.Errorf("the apiserver's port is %d", got)
	}
	if got := p.controllerManager.SecureServing.BindPort; got != 10257 {
		t.Errorf("the controller-manager's port is %d", got)
	}
	if got := lab.Get(p.Settings[lab.APIServer], "etcd-servers"); got != "https://127.0.0.1:2379" {
		t.Errorf("etcd is at %s", got)
	}
	if p.Etcd == nil || p.Etcd.Dir != filepath.Join(p.Config.Root, "var/lib/etcd") {
		t.Errorf("the embedded etcd is %+v", p.Etcd)
	}
}

func TestPlanWithExternalEtcdHasNoMember(t *testing.T) {
	p, err := planFor(t, config.Config{EtcdServers: []string{"https://10.240.0.10:2379"}})
	if err != nil {
		t.Fatal(err)
	}
	if p.Etcd != nil {
		t.Error("an embedded member is planned")
	}
}

func TestPlanRefuses(t *testing.T) {
	one := func(c lab.Component, values ...string) map[lab.Component][]lab.Override {
		return map[lab.Component][]lab.Override{c: args(values...)}
	}
	tests := map[string]struct {
		config config.Config
		says   []string
	}{
		"an unknown flag": {
			config.Config{Args: one(lab.APIServer, "secure-prot=7443")},
			[]string{"--kube-apiserver-arg secure-prot", "secure-port"},
		},
		"an unknown flag of etcd": {
			config.Config{EtcdArgs: args("quota-backend-byte=1")},
			[]string{"--etcd-arg quota-backend-byte", "quota-backend-bytes"},
		},
		"a flag for an etcd that is not there": {
			config.Config{EtcdServers: []string{"https://10.240.0.10:2379"}, EtcdArgs: args("name=x")},
			[]string{"--etcd-arg name", "--etcd-servers"},
		},
		"an address that is none": {
			config.Config{AdvertiseAddress: "controller-0"},
			[]string{"--advertise-address", "controller-0"},
		},
		"a loopback address": {
			config.Config{AdvertiseAddress: "127.0.0.1"},
			[]string{"--advertise-address", "127.0.0.1"},
		},
		"what cannot be honoured": {
			config.Config{Args: one(lab.APIServer, "kubelet-https=false")},
			[]string{"--kubelet-https=false", "HTTPS"},
		},
		"a scheduler file that is not there": {
			config.Config{Args: one(lab.Scheduler, "config=/does/not/exist.yaml")},
			[]string{"--kube-scheduler-arg config", "/does/not/exist.yaml"},
		},
		"a wrong value": {
			config.Config{Args: one(lab.ControllerManager, "secure-port=high")},
			[]string{"--kube-controller-manager-arg", "secure-port", "high"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := planFor(t, test.config)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, text := range test.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestSchedulerFileOfTheLabIsConverted(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "etc/kubernetes/config")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const file = `apiVersion: componentconfig/v1alpha1
kind: KubeSchedulerConfiguration
clientConnection:
  kubeconfig: "/var/lib/kubernetes/kube-scheduler.kubeconfig"
leaderElection:
  leaderElect: true
`
	if err := os.WriteFile(filepath.Join(dir, "kube-scheduler.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := planFor(t, config.Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, "var/lib/kubernetes/kube-scheduler.kubeconfig"); p.Files.SchedulerKubeconfig != want {
		t.Errorf("the kubeconfig is %s, want %s: the lab's paths are below the root", p.Files.SchedulerKubeconfig, want)
	}
	converted, err := os.ReadFile(p.scheduler.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"kubescheduler.config.k8s.io/v1", "leaderElect: true", "qps: 5000"} {
		if !strings.Contains(string(converted), text) {
			t.Errorf("the converted file lacks %q:\n%s", text, converted)
		}
	}
}

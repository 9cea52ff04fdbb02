// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

func planFor(t *testing.T, c config.Config) (*Plan, error) {
	t.Helper()
	if c.Root == "" {
		c.Root = t.TempDir()
	}
	if c.AdvertiseAddress == "" {
		c.AdvertiseAddress = "192.0.2.10"
	}
	p, err := New(context.Background(), &c)
	if err == nil {
		t.Cleanup(p.Close)
	}
	return p, err
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
			if value := lab.Get(p.Flags[c], f.Current); value == "" {
				t.Errorf("%s --%s is not set", c, f.Current)
			}
		}
	}
	if got := p.APIServer.SecureServing.BindPort; got != 6443 {
		t.Errorf("the apiserver's port is %d", got)
	}
	if got := p.ControllerManager.SecureServing.BindPort; got != 10257 {
		t.Errorf("the controller-manager's port is %d", got)
	}
	if got := lab.Get(p.Flags[lab.APIServer], "etcd-servers"); got != "https://127.0.0.1:2379" {
		t.Errorf("etcd is at %s", got)
	}
	if p.Etcd == nil || p.Etcd.Dir != filepath.Join(p.Config.Root, "var/lib/etcd") {
		t.Errorf("the embedded etcd is %+v", p.Etcd)
	}
}

func TestKubeconfigsLeadToWhereTheAPIServerListens(t *testing.T) {
	for bind, want := range map[string]string{
		"0.0.0.0": "https://127.0.0.1:6443", "::": "https://127.0.0.1:6443", "127.0.0.1": "https://127.0.0.1:6443",
		"192.0.2.10": "https://192.0.2.10:6443", "192.0.2.99": "https://192.0.2.99:6443", "::1": "https://[::1]:6443",
	} {
		p, err := planFor(t, config.Config{Args: map[lab.Component][]lab.Override{
			lab.APIServer: {{Arg: lab.ParseArg("bind-address=" + bind), Source: config.FromFlag}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.GenerateMissing(); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{p.Files.ControllerManagerKubeconfig, p.Files.SchedulerKubeconfig, p.Files.AdminKubeconfig} {
			got, err := clientcmd.BuildConfigFromFlags("", path)
			if err != nil || got.Host != want {
				t.Errorf("bind-address=%s: %s leads to %+v, %v, want %s", bind, path, got, err, want)
			}
		}
		certs, err := cert.CertsFromFile(p.Files.Cert)
		if err != nil {
			t.Fatal(err)
		}
		host, _, err := net.SplitHostPort(p.APIServerAddress())
		if err != nil || certs[0].VerifyHostname(host) != nil {
			t.Errorf("bind-address=%s: the certificate does not name %s, %v", bind, host, err)
		}
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
		"a link-local address": {
			config.Config{AdvertiseAddress: "169.254.10.10"},
			[]string{"--advertise-address", "169.254.10.10", "link-local"},
		},
		"a multicast address": {
			config.Config{AdvertiseAddress: "239.1.2.3"},
			[]string{"--advertise-address", "239.1.2.3", "multicast"},
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
	converted, err := os.ReadFile(p.Scheduler.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"kubescheduler.config.k8s.io/v1", "leaderElect: true", "qps: 5000"} {
		if !strings.Contains(string(converted), text) {
			t.Errorf("the converted file lacks %q:\n%s", text, converted)
		}
	}
}

// TestSettingsAreThoseOfTheFlags changes every flag behind the typed settings and
// finds each where it belongs.
func TestTheSchedulersFileCanBeGivenUp(t *testing.T) {
	p, err := planFor(t, config.Config{Args: map[lab.Component][]lab.Override{lab.Scheduler: args("config-")}})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Files.SchedulerKubeconfig; got != p.Path(paths.SchedulerKubeconfig) || p.Scheduler.ConfigFile == "" {
		t.Errorf("the scheduler has the kubeconfig %q, in %q", got, p.Scheduler.ConfigFile)
	}
}

func TestSettingsAreThoseOfTheFlags(t *testing.T) {
	p, err := planFor(t, config.Config{
		EtcdServers: []string{"https://10.240.0.10:2379", "https://10.240.0.11:2379"},
		Args: map[lab.Component][]lab.Override{
			lab.APIServer: args("client-ca-file=/a/client-ca", "etcd-cafile=/a/etcd-ca", "kubelet-certificate-authority=/a/kubelet-ca",
				"tls-cert-file=/a/cert", "tls-private-key-file=/a/key", "kubelet-client-certificate=/a/kubelet-cert", "kubelet-client-key=/a/kubelet-key",
				"etcd-certfile=/a/etcd-cert", "etcd-keyfile=/a/etcd-key", "service-account-key-file=/a/sa-1", "service-account-key-file=/a/sa-2",
				"service-account-signing-key-file=/a/sa-key", "encryption-provider-config=/a/encryption", "audit-log-path=/a/audit.log",
				"service-cluster-ip-range=10.96.0.0/16", "secure-port=7443", "etcd-prefix=/k8s"),
			lab.ControllerManager: args("root-ca-file=/a/root-ca", "cluster-signing-cert-file=/a/sign-cert", "cluster-signing-key-file=/a/sign-key",
				"service-account-private-key-file=/a/kcm-key", "kubeconfig=/a/kcm-config", "service-cluster-ip-range=10.97.0.0/16"),
			lab.Scheduler: args("kubeconfig=/a/scheduler-config"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string]string{
		"/a/client-ca (--kube-apiserver-arg client-ca-file)":                          p.ClientCA.String(),
		"/a/etcd-ca (--kube-apiserver-arg etcd-cafile)":                               p.EtcdCA.String(),
		"/a/kubelet-ca (--kube-apiserver-arg kubelet-certificate-authority)":          p.KubeletCA.String(),
		"/a/root-ca (--kube-controller-manager-arg root-ca-file)":                     p.RootCA.String(),
		"/a/sign-cert (--kube-controller-manager-arg cluster-signing-cert-file)":      p.Signing.Cert.String(),
		"/a/sign-key (--kube-controller-manager-arg cluster-signing-key-file)":        p.Signing.Key.String(),
		"/a/cert (--kube-apiserver-arg tls-cert-file)":                                p.Serving.Cert.String(),
		"/a/key (--kube-apiserver-arg tls-private-key-file)":                          p.Serving.Key.String(),
		"/a/kubelet-cert (--kube-apiserver-arg kubelet-client-certificate)":           p.KubeletClient.Cert.String(),
		"/a/kubelet-key (--kube-apiserver-arg kubelet-client-key)":                    p.KubeletClient.Key.String(),
		"/a/etcd-cert (--kube-apiserver-arg etcd-certfile)":                           p.EtcdClient.Cert.String(),
		"/a/etcd-key (--kube-apiserver-arg etcd-keyfile)":                             p.EtcdClient.Key.String(),
		"/a/sa-1 (--kube-apiserver-arg service-account-key-file)":                     p.ServiceAccountKeys[0].String(),
		"/a/sa-2 (--kube-apiserver-arg service-account-key-file)":                     p.ServiceAccountKeys[1].String(),
		"/a/sa-key (--kube-apiserver-arg service-account-signing-key-file)":           p.TokenSigningKey.String(),
		"/a/kcm-key (--kube-controller-manager-arg service-account-private-key-file)": p.ControllerTokenKey.String(),
		"/a/encryption (--kube-apiserver-arg encryption-provider-config)":             p.EncryptionConfig.String(),
		"/a/audit.log (--kube-apiserver-arg audit-log-path)":                          p.AuditLog.String(),
		"/a/kcm-config (--kube-controller-manager-arg kubeconfig)":                    p.Kubeconfigs[0].String(),
		"/a/scheduler-config (--kube-scheduler-arg kubeconfig)":                       p.Kubeconfigs[1].String(),
		"{--kube-apiserver-arg service-cluster-ip-range 10.96.0.0/16}":                fmt.Sprint(p.ServiceRanges[0]),
		"{--kube-controller-manager-arg service-cluster-ip-range 10.97.0.0/16}":       fmt.Sprint(p.ServiceRanges[1]),
		"192.0.2.10 7443 /k8s": fmt.Sprintf("%s %d %s", p.AdvertiseAddress, p.Port, p.EtcdPrefix),
		"{[https://10.240.0.10:2379 https://10.240.0.11:2379] /a/etcd-ca /a/etcd-cert /a/etcd-key}": fmt.Sprintf("{%v %s %s %s}", p.EtcdAccess.Endpoints, p.EtcdAccess.CAFile, p.EtcdAccess.CertFile, p.EtcdAccess.KeyFile),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTheAuditLogOfStandardOutputIsNoFile(t *testing.T) {
	p, err := planFor(t, config.Config{Args: map[lab.Component][]lab.Override{lab.APIServer: args("audit-log-path=-")}})
	if err != nil {
		t.Fatal(err)
	}
	if p.AuditLog.Path != "" || len(p.Dirs()) != 2 {
		t.Errorf("the audit log is %q, and %v are written to", p.AuditLog, p.Dirs())
	}
}

func TestAnEncryptionConfigurationOfTheUsersOwnIsNoneOfTheLabsFiles(t *testing.T) {
	own := filepath.Join(t.TempDir(), "kms.yaml")
	request := config.Config{Args: map[lab.Component][]lab.Override{lab.APIServer: args("encryption-provider-config=" + own)}}
	p, err := planFor(t, request)
	if err != nil {
		t.Fatal(err)
	}
	if p.Files.EncryptionConfig != own {
		t.Errorf("one that is not there is to be made at %q, want %s", p.Files.EncryptionConfig, own)
	}
	if err := os.WriteFile(own, []byte("kind: EncryptionConfiguration\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err = planFor(t, request); err != nil {
		t.Fatal(err)
	}
	if !p.Fresh() || p.Files.EncryptionConfig != "" || p.EncryptionConfig.Path != own {
		t.Errorf("fresh %v, to be made at %q, used at %q", p.Fresh(), p.Files.EncryptionConfig, p.EncryptionConfig.Path)
	}
}

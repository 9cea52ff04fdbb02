// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/instance"
	"github.com/khw-controller/khw-controller/pkg/pki"
)

// generated makes the lab's files in a directory of its own.
func generated(t *testing.T, s pki.Spec) pki.Files {
	t.Helper()
	f := pki.FilesIn(t.TempDir())
	if err := pki.Generate(f, s); err != nil {
		t.Fatal(err)
	}
	return f
}

func spec() pki.Spec {
	return pki.Spec{AdvertiseAddress: net.ParseIP("10.240.0.10"), ServiceIP: net.ParseIP("10.32.0.1"), ServerPort: 6443}
}

// sound is an Input with nothing wrong, and its files.
func sound(t *testing.T) (Input, pki.Files) {
	t.Helper()
	f := generated(t, spec())
	ca, pair := File{"--client-ca-file", f.CA}, Pair{File{"--tls-cert-file", f.Cert}, File{"--tls-private-key-file", f.Key}}
	in := Input{
		Now:      time.Now(),
		LockPath: filepath.Join(filepath.Dir(f.CA), "lock"),
		ClientCA: ca, EtcdCA: ca, KubeletCA: ca, RootCA: ca,
		Signing: Pair{ca, File{"--cluster-signing-key-file", f.CAKey}},
		Serving: pair, KubeletClient: pair, EtcdClient: pair,
		ServiceAccount:   Pair{File{"--service-account-key-file", f.ServiceAccount}, File{"--service-account-signing-key-file", f.ServiceAccountKey}},
		TokensKey:        File{"--service-account-private-key-file", f.ServiceAccountKey},
		EncryptionConfig: File{"--encryption-provider-config", f.EncryptionConfig},
		Kubeconfigs:      []File{{"--kubeconfig", f.ControllerManagerKubeconfig}, {"", f.SchedulerKubeconfig}},
		AdvertiseAddress: net.ParseIP("10.240.0.10"), Port: 6443,
		ServiceRanges: []Value{{"kube-apiserver --service-cluster-ip-range", "10.32.0.0/24"}, {"kube-controller-manager --service-cluster-ip-range", "10.32.0.0/24"}},
		Ports:         []Value{{"--secure-port", "127.0.0.1:0"}},
		EtcdDataDir:   filepath.Join(filepath.Dir(f.CA), "etcd"),
		Dirs:          []Dir{{Path: filepath.Join(filepath.Dir(f.CA), "not/there/yet"), Need: 1}},
	}
	for _, path := range f.Required() {
		in.Required = append(in.Required, File{Path: path})
	}
	return in, f
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(data))
}

// edit replaces text in a file that must hold it.
func edit(t *testing.T, path, old, now string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	write(t, path, strings.ReplaceAll(string(data), old, now))
}

func TestNothingWrongIsNoFinding(t *testing.T) {
	in, _ := sound(t)
	for _, f := range Run(t.Context(), in) {
		t.Errorf("%s: %s", f.Severity, f)
	}
}

func TestFindings(t *testing.T) {
	tests := map[string]struct {
		spoil    func(*testing.T, *Input, pki.Files)
		severity Severity
		says     []string // FILE.pem stands for the path of the lab's file
	}{
		"a file missing": {
			func(t *testing.T, _ *Input, f pki.Files) { remove(t, f.CAKey) },
			Error, []string{"ca-key.pem: missing, while 8 other files", "put the missing ones in place"},
		},
		"a key of another certificate": {
			func(t *testing.T, _ *Input, f pki.Files) { copyFile(t, f.ServiceAccountKey, f.Key) },
			Error, []string{"kubernetes-key.pem: is not the key of the certificate", "kubernetes.pem"},
		},
		"a certificate of another CA": {
			func(t *testing.T, _ *Input, f pki.Files) {
				other := generated(t, spec())
				copyFile(t, other.Cert, f.Cert)
				copyFile(t, other.Key, f.Key)
			},
			Error, []string{"kubernetes.pem: is not signed by", "ca.pem"},
		},
		"a leaf for a CA": {
			func(_ *testing.T, in *Input, f pki.Files) {
				in.KubeletCA = File{"--kubelet-certificate-authority", f.Cert}
			},
			Error, []string{"is the certificate of kubernetes, not of a CA", "--kubelet-certificate-authority"},
		},
		"a key for a certificate": {
			func(t *testing.T, _ *Input, f pki.Files) { copyFile(t, f.Key, f.Cert) },
			Error, []string{"kubernetes.pem: holds no certificate but a PEM block \"EC PRIVATE KEY\""},
		},
		"a certificate for a key": {
			func(t *testing.T, _ *Input, f pki.Files) { copyFile(t, f.Cert, f.Key) },
			Error, []string{"kubernetes-key.pem: holds a certificate, not a private key"},
		},
		"no PEM": {
			func(t *testing.T, _ *Input, f pki.Files) { write(t, f.CA, "hello") },
			Error, []string{"ca.pem: is not a PEM file"},
		},
		"expired": {
			func(_ *testing.T, in *Input, _ pki.Files) { in.Now = in.Now.AddDate(1, 1, 0) },
			Error, []string{"kubernetes.pem: expired on", "this machine's clock says", "renew it, or set the clock"},
		},
		"a clock that is behind": {
			func(_ *testing.T, in *Input, _ pki.Files) { in.Now = in.Now.AddDate(-1, 0, 0) },
			Error, []string{"ca.pem: is valid only from", "set the clock"},
		},
		"the advertised address is not named": {
			func(_ *testing.T, in *Input, _ pki.Files) { in.AdvertiseAddress = net.ParseIP("10.240.0.99") },
			Warning, []string{"kubernetes.pem: does not name the advertised address 10.240.0.99", "kubelets and clients on other machines"},
		},
		"the service address is not named": {
			func(_ *testing.T, in *Input, _ pki.Files) {
				for i := range in.ServiceRanges {
					in.ServiceRanges[i].Value = "10.33.0.0/24"
				}
			},
			Warning, []string{"does not name the service address 10.33.0.1", "pods"},
		},
		"service ranges disagree": {
			func(_ *testing.T, in *Input, _ pki.Files) { in.ServiceRanges[1].Value = "10.33.0.0/24" },
			Error, []string{"kube-controller-manager --service-cluster-ip-range=10.33.0.0/24: disagrees with kube-apiserver --service-cluster-ip-range=10.32.0.0/24"},
		},
		"no range": {
			func(_ *testing.T, in *Input, _ pki.Files) { in.ServiceRanges[1].Value = "10.32.0.0" },
			Error, []string{"is not a range of addresses"},
		},
		"a service account key of another": {
			func(t *testing.T, _ *Input, f pki.Files) { copyFile(t, f.CAKey, f.ServiceAccountKey) },
			Error, []string{"service-account-key.pem (--service-account-signing-key-file): is not the key of"},
		},
		"a kubeconfig for another CA": {
			func(t *testing.T, _ *Input, f pki.Files) {
				copyFile(t, generated(t, spec()).SchedulerKubeconfig, f.SchedulerKubeconfig)
			},
			Error, []string{"kube-scheduler.kubeconfig: is for another CA"},
		},
		"a kubeconfig for another port": {
			func(t *testing.T, _ *Input, f pki.Files) { edit(t, f.SchedulerKubeconfig, ":6443", ":7443") },
			Error, []string{"connects to https://127.0.0.1:7443", "listens on port 6443"},
		},
		"a kubeconfig without verification": {
			func(t *testing.T, _ *Input, f pki.Files) {
				edit(t, f.SchedulerKubeconfig, "certificate-authority-data:", "insecure-skip-tls-verify: true\n    x:")
			},
			Error, []string{"insecure-skip-tls-verify"},
		},
		"no kubeconfig": {
			func(t *testing.T, _ *Input, f pki.Files) { write(t, f.SchedulerKubeconfig, "hello") },
			Error, []string{"kube-scheduler.kubeconfig: is not a usable kubeconfig"},
		},
		"no encryption": {
			func(t *testing.T, _ *Input, f pki.Files) { edit(t, f.EncryptionConfig, "secret: ", "secret: !") },
			Error, []string{"encryption-config.yaml (--encryption-provider-config): ", "line "},
		},
		"a taken port": {
			func(t *testing.T, in *Input, _ pki.Files) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				in.Ports[0].Value = l.Addr().String()
			},
			Error, []string{"is taken by preflight.test", fmt.Sprintf("(process %d)", os.Getpid()), "--secure-port"},
		},
		"one port for two": {
			func(t *testing.T, in *Input, _ pki.Files) {
				l, err := net.Listen("tcp", "127.0.0.1:0") // for a free port
				if err != nil {
					t.Fatal(err)
				}
				l.Close()
				in.Ports = []Value{{"--secure-port", l.Addr().String()}, {"--healthz-bind-address", l.Addr().String()}}
			},
			Error, []string{"is wanted by --secure-port too", "with --healthz-bind-address or --secure-port"},
		},
		"somebody else's address": {
			func(_ *testing.T, in *Input, _ pki.Files) { in.Ports[0].Value = "192.0.2.1:6443" },
			Error, []string{"192.0.2.1:6443: is not an address of this machine", "--secure-port"},
		},
		"a small disk": {
			func(_ *testing.T, in *Input, _ pki.Files) { in.Dirs[0].Need = 1 << 60 },
			Error, []string{"not/there/yet: has ", "MB of free disk space", "free some space"},
		},
		"a file for a directory": {
			func(_ *testing.T, in *Input, f pki.Files) { in.Dirs[0].Path = filepath.Join(f.CA, "below") },
			Error, []string{"ca.pem/below: "},
		},
		"an etcd that is not there": {
			func(_ *testing.T, in *Input, _ pki.Files) { in.EtcdServers = []string{"https://127.0.0.1:1"} },
			Error, []string{"--etcd-servers https://127.0.0.1:1: cannot be reached", "connection refused"},
		},
		"somebody else on this root": {
			func(t *testing.T, in *Input, f pki.Files) {
				l, err := instance.Acquire(in.LockPath)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				remove(t, f.CA) // not worth a finding of its own now
			},
			Error, []string{fmt.Sprintf("another khw-controller, process %d, runs on this root", os.Getpid())},
		},
		"etcd's data without its files": {
			func(t *testing.T, in *Input, _ pki.Files) {
				in.Generate = true
				if err := os.MkdirAll(filepath.Join(in.EtcdDataDir, "member"), 0o700); err != nil {
					t.Fatal(err)
				}
			},
			Error, []string{"holds etcd data, but none of the lab's files"},
		},
		"an external etcd without its files": {
			func(_ *testing.T, in *Input, _ pki.Files) {
				in.Generate, in.EtcdServers = true, []string{"https://127.0.0.1:1"}
			},
			Error, []string{"a new CA would not be that of this etcd"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in, f := sound(t)
			test.spoil(t, &in, f)
			found := Run(t.Context(), in)
			if len(found) == 0 {
				t.Fatal("nothing was found")
			}
			// The first finding is about the cause; more may follow from it.
			line := found[0].String()
			for _, s := range test.says {
				if !strings.Contains(line, s) {
					t.Errorf("%q does not say %q", line, s)
				}
			}
			if found[0].Severity != test.severity || strings.Contains(line, "\n") {
				t.Errorf("%s %q: want one line, of severity %s", found[0].Severity, line, test.severity)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestEveryFindingIsReportedAtOnce(t *testing.T) {
	in, f := sound(t)
	copyFile(t, f.ServiceAccountKey, f.Key)
	write(t, f.EncryptionConfig, "hello")
	in.ServiceRanges[1].Value = "10.33.0.0/24"
	in.Ports[0].Value = "192.0.2.1:6443"
	if found := Run(t.Context(), in); len(found) != 4 {
		t.Errorf("%d findings, want 4: %v", len(found), found)
	}
}

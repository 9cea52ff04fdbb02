// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/khw-controller/khw-controller/pkg/address"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/instance"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// generated makes the lab's files in a directory of its own.
func generated(t *testing.T) pki.Files {
	t.Helper()
	in, f := sound(t)
	in.Close()
	return f
}

// freePort returns the port of an address at which nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// sound is an input with nothing wrong, and the lab's files, which are below a
// root of its own.
func sound(t *testing.T) (input, pki.Files) {
	t.Helper()
	args := func(values ...string) (all []lab.Override) {
		for _, v := range values {
			all = append(all, lab.Override{Arg: lab.ParseArg(v), Source: config.FromFlag})
		}
		return all
	}
	own, err := utilnet.ChooseHostInterface()
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(t.Context(), &config.Config{
		Root: t.TempDir(), AdvertiseAddress: own.String(),
		Args: map[lab.Component][]lab.Override{
			lab.APIServer:         args("bind-address=127.0.0.1", "secure-port="+freePort(t)),
			lab.ControllerManager: args("secure-port=0"),
			lab.Scheduler:         args("secure-port=0"),
		},
		EtcdArgs: args("listen-client-urls=https://127.0.0.1:"+freePort(t), "listen-peer-urls=https://127.0.0.1:"+freePort(t)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := p.GenerateMissing(); err != nil {
		t.Fatal(err)
	}
	return input{Plan: p, Options: Options{Now: time.Now()}}, p.Files
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

func editKubeconfig(t *testing.T, path string, change func(*clientcmdapi.Config)) {
	t.Helper()
	c, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(c)
	if err := clientcmd.WriteToFile(*c, path); err != nil {
		t.Fatal(err)
	}
}

func TestNothingWrongIsNoFinding(t *testing.T) {
	in, _ := sound(t)
	for _, f := range in.check(t.Context()) {
		t.Errorf("%s: %s", f.Severity, f)
	}
}

func TestFindings(t *testing.T) {
	tests := map[string]struct {
		spoil    func(*testing.T, *input, pki.Files)
		severity Severity
		says     []string // FILE.pem stands for the path of the lab's file
	}{
		"a file missing": {
			func(t *testing.T, _ *input, f pki.Files) { remove(t, f.CAKey) },
			Error, []string{"ca-key.pem: missing, while 8 other files", "put the missing ones in place"},
		},
		"a key of another certificate": {
			func(t *testing.T, _ *input, f pki.Files) { copyFile(t, f.ServiceAccountKey, f.Key) },
			Error, []string{"kubernetes-key.pem: is not the key of the certificate", "kubernetes.pem"},
		},
		"a certificate of another CA": {
			func(t *testing.T, _ *input, f pki.Files) {
				other := generated(t)
				copyFile(t, other.Cert, f.Cert)
				copyFile(t, other.Key, f.Key)
			},
			Error, []string{"kubernetes.pem: is not signed by", "ca.pem"},
		},
		"a leaf for a CA": {
			func(_ *testing.T, in *input, f pki.Files) {
				in.KubeletCA.Path = f.Cert
			},
			Warning, []string{"is the certificate of kubernetes, not of a CA", "--kube-apiserver-arg kubelet-certificate-authority"},
		},
		"a key for a certificate": {
			func(t *testing.T, _ *input, f pki.Files) { copyFile(t, f.Key, f.Cert) },
			Error, []string{"kubernetes.pem: holds no certificate but a PEM block \"EC PRIVATE KEY\""},
		},
		"a certificate for a key": {
			func(t *testing.T, _ *input, f pki.Files) { copyFile(t, f.Cert, f.Key) },
			Error, []string{"kubernetes-key.pem: holds a certificate, not a private key"},
		},
		"no PEM": {
			func(t *testing.T, _ *input, f pki.Files) { write(t, f.CA, "hello") },
			Error, []string{"ca.pem: is not a PEM file"},
		},
		"expired": {
			func(_ *testing.T, in *input, _ pki.Files) { in.Now = in.Now.AddDate(1, 1, 0) },
			Error, []string{"kubernetes.pem: expired on", "this machine's clock says", "renew it, or set the clock"},
		},
		"a clock that is behind": {
			func(_ *testing.T, in *input, _ pki.Files) { in.Now = in.Now.AddDate(-1, 0, 0) },
			Wait, []string{"kubernetes.pem: is valid only from", "set this machine's clock, which says"},
		},
		"the advertised address is not named": {
			func(_ *testing.T, in *input, _ pki.Files) { in.AdvertiseAddress = net.ParseIP("10.240.0.99") },
			Warning, []string{"kubernetes.pem: does not name the advertised address 10.240.0.99", "kubelets and clients on other machines"},
		},
		"the advertised address is not of this machine": {
			func(_ *testing.T, in *input, _ pki.Files) {
				in.Address = address.Result{IP: net.ParseIP("192.0.2.99"), Source: "--advertise-address"}
			},
			Warning, []string{"--advertise-address: 192.0.2.99 is not an address of this machine", "only if something forwards it"},
		},
		"the service address is not named": {
			func(_ *testing.T, in *input, _ pki.Files) {
				for i := range in.ServiceRanges {
					in.ServiceRanges[i].Value = "10.33.0.0/24"
				}
			},
			Warning, []string{"does not name the service address 10.33.0.1", "pods"},
		},
		"service ranges disagree": {
			func(_ *testing.T, in *input, _ pki.Files) { in.ServiceRanges[1].Value = "10.33.0.0/24" },
			Error, []string{"--kube-controller-manager-arg service-cluster-ip-range=10.33.0.0/24: disagrees with --kube-apiserver-arg service-cluster-ip-range=10.32.0.0/24"},
		},
		"no range": {
			func(_ *testing.T, in *input, _ pki.Files) { in.ServiceRanges[1].Value = "10.32.0.0" },
			Error, []string{"is not a range of addresses"},
		},
		"a service account key of another": {
			func(t *testing.T, _ *input, f pki.Files) { copyFile(t, f.CAKey, f.ServiceAccountKey) },
			Error, []string{"service-account-key.pem (--kube-apiserver-arg service-account-signing-key-file): is not the key of"},
		},
		"a kubeconfig for another CA": {
			func(t *testing.T, _ *input, f pki.Files) {
				other, err := clientcmd.LoadFromFile(generated(t).SchedulerKubeconfig)
				if err != nil {
					t.Fatal(err)
				}
				editKubeconfig(t, f.SchedulerKubeconfig, func(c *clientcmdapi.Config) {
					c.Clusters[c.Contexts[c.CurrentContext].Cluster].CertificateAuthorityData =
						other.Clusters[other.Contexts[other.CurrentContext].Cluster].CertificateAuthorityData
				})
			},
			Error, []string{"kube-scheduler.kubeconfig (--kube-scheduler-arg kubeconfig): is for another CA"},
		},
		"a kubeconfig for another port": {
			func(t *testing.T, _ *input, f pki.Files) {
				edit(t, f.SchedulerKubeconfig, "https://127.0.0.1:", "https://127.0.0.1:1")
			},
			Error, []string{"connects to https://127.0.0.1:1", "listens on port "},
		},
		"a kubeconfig without verification": {
			func(t *testing.T, _ *input, f pki.Files) {
				edit(t, f.SchedulerKubeconfig, "certificate-authority-data:", "insecure-skip-tls-verify: true\n    x:")
			},
			Warning, []string{"insecure-skip-tls-verify"},
		},
		"no kubeconfig": {
			func(t *testing.T, _ *input, f pki.Files) { write(t, f.SchedulerKubeconfig, "hello") },
			Error, []string{"kube-scheduler.kubeconfig (--kube-scheduler-arg kubeconfig): is not a usable kubeconfig"},
		},
		"no encryption": {
			func(t *testing.T, _ *input, f pki.Files) { edit(t, f.EncryptionConfig, "secret: ", "secret: !") },
			Error, []string{"encryption-config.yaml (--kube-apiserver-arg encryption-provider-config): ", "line "},
		},
		"a taken port": {
			func(t *testing.T, in *input, _ pki.Files) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				in.APIServer.SecureServing.BindPort = l.Addr().(*net.TCPAddr).Port
			},
			Error, []string{"is taken by preflight.test", fmt.Sprintf("(process %d)", os.Getpid()), "--kube-apiserver-arg secure-port"},
		},
		"one port for two": {
			func(_ *testing.T, in *input, _ pki.Files) {
				in.Config.HealthzBindAddress = net.JoinHostPort("127.0.0.1", strconv.Itoa(in.APIServer.SecureServing.BindPort))
			},
			Error, []string{"is wanted by --kube-apiserver-arg secure-port too", "with --healthz-bind-address or --kube-apiserver-arg secure-port"},
		},
		"somebody else's address": {
			func(_ *testing.T, in *input, _ pki.Files) { in.Config.HealthzBindAddress = "192.0.2.1:80" },
			Wait, []string{"192.0.2.1:80: is not an address of this machine (--healthz-bind-address)", "bring up the interface that has it"},
		},
		"a file for a directory": {
			func(_ *testing.T, in *input, f pki.Files) { in.Etcd.Dir = filepath.Join(f.CA, "below") },
			Error, []string{"ca.pem/below: "},
		},
		"an etcd that is not there": {
			func(_ *testing.T, in *input, _ pki.Files) { external(in) },
			Wait, []string{"--etcd-servers https://127.0.0.1:1: refuses the connection"},
		},
		"somebody else on this root": {
			func(t *testing.T, in *input, f pki.Files) {
				l, err := instance.Acquire(in.Path(paths.Lock))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				remove(t, f.CA) // not worth a finding of its own now
			},
			Error, []string{fmt.Sprintf("another khw-controller, process %d, runs on this root", os.Getpid())},
		},
		"etcd's data without its files": {
			func(t *testing.T, in *input, f pki.Files) {
				remove(t, f.Required()...)
				if err := os.MkdirAll(filepath.Join(in.Etcd.Dir, "member"), 0o700); err != nil {
					t.Fatal(err)
				}
			},
			Error, []string{"holds etcd data, but none of the lab's files"},
		},
		"an external etcd without its files": {
			func(t *testing.T, in *input, f pki.Files) {
				remove(t, f.Required()...)
				external(in)
			},
			Error, []string{"a new CA would not be that of this etcd"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in, f := sound(t)
			test.spoil(t, &in, f)
			found := in.check(t.Context())
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

// external has etcd be elsewhere, where nobody listens.
func external(in *input) {
	in.Etcd, in.EtcdAccess.Endpoints = nil, []string{"https://127.0.0.1:1"}
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASmallDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not/there/yet")
	found := checkDir(plan.Dir{Path: dir, Need: 1 << 60})
	if len(found) != 1 || !strings.Contains(found[0].String(), dir+": has ") || !strings.Contains(found[0].String(), "MB of free disk space") {
		t.Errorf("found %v", found)
	}
	if found := checkDir(plan.Dir{Path: dir, Need: 1}); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

func TestServiceAccountKeysAreRotated(t *testing.T) {
	in, f := sound(t)
	old := generated(t).ServiceAccount
	for _, keys := range [][]string{{f.ServiceAccount, old}, {old, f.ServiceAccount}} {
		in.ServiceAccountKeys = nil
		for _, path := range keys {
			in.ServiceAccountKeys = append(in.ServiceAccountKeys, plan.File{Path: path})
		}
		if found := checkServiceAccount(in); len(found) != 0 {
			t.Errorf("%v: %v", keys, found)
		}
	}
}

func TestEveryFindingIsReportedAtOnce(t *testing.T) {
	in, f := sound(t)
	copyFile(t, f.ServiceAccountKey, f.Key)
	write(t, f.EncryptionConfig, "hello")
	in.ServiceRanges[1].Value = "10.33.0.0/24"
	in.Config.HealthzBindAddress = "192.0.2.1:80"
	if found := in.check(t.Context()); len(found) != 4 {
		t.Errorf("%d findings, want 4: %v", len(found), found)
	}
}

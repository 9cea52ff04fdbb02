// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func spec() Spec {
	return Spec{AdvertiseAddress: net.ParseIP("10.240.0.10"), ServiceIP: net.ParseIP("10.32.0.1"), ServerPort: 6443}
}

func generate(t *testing.T) Files {
	t.Helper()
	f := FilesIn(filepath.Join(t.TempDir(), "var/lib/kubernetes"))
	if err := Generate(f, spec()); err != nil {
		t.Fatal(err)
	}
	return f
}

func readCert(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s is not PEM", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestServerCertificateIsGoodForEveryNameOfTheLab(t *testing.T) {
	f := generate(t)
	roots := x509.NewCertPool()
	roots.AddCert(readCert(t, f.CA))
	server := readCert(t, f.Cert)
	for _, name := range []string{"127.0.0.1", "10.240.0.10", "10.32.0.1", "kubernetes.default", "kubernetes.default.svc.cluster.local", "localhost"} {
		for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			if _, err := server.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if cn := server.Subject.CommonName; cn != "kubernetes" {
		t.Errorf("the server is %q, and the kubelet RBAC binds kubernetes", cn)
	}
	for cert, key := range map[string]string{f.CA: f.CAKey, f.Cert: f.Key, f.ServiceAccount: f.ServiceAccountKey} {
		if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
			t.Errorf("%s: %v", cert, err)
		}
	}
}

func TestKubeconfigsAreTheLabsUsers(t *testing.T) {
	f := generate(t)
	roots := x509.NewCertPool()
	roots.AddCert(readCert(t, f.CA))
	users := map[string][2]string{
		f.AdminKubeconfig:             {"admin", "system:masters"},
		f.ControllerManagerKubeconfig: {"system:kube-controller-manager", "system:kube-controller-manager"},
		f.SchedulerKubeconfig:         {"system:kube-scheduler", "system:kube-scheduler"},
	}
	for path, want := range users {
		c, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			t.Fatal(err)
		}
		if c.Host != "https://127.0.0.1:6443" || c.Insecure {
			t.Errorf("%s connects to %s, insecure %v", path, c.Host, c.Insecure)
		}
		pair, err := tls.X509KeyPair(c.CertData, c.KeyData)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if got := [2]string{pair.Leaf.Subject.CommonName, pair.Leaf.Subject.Organization[0]}; got != want {
			t.Errorf("%s is for %v, want %v", path, got, want)
		}
	}
}

func TestSecretsAreForTheirOwnerOnly(t *testing.T) {
	f := generate(t)
	public := map[string]bool{f.CA: true, f.Cert: true, f.ServiceAccount: true}
	for _, path := range append(f.Required(), f.AdminKubeconfig) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := fs.FileMode(0o600)
		if public[path] {
			want = 0o644
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
}

func TestEachRunMakesItsOwnKeys(t *testing.T) {
	first, second := generate(t), generate(t)
	for i, path := range first.Required() {
		a, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(second.Required()[i])
		if err != nil {
			t.Fatal(err)
		}
		if string(a) == string(b) {
			t.Errorf("%s is the same twice", filepath.Base(path))
		}
	}
}

// names lists everything below dir.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNothingIsOverwrittenAndNothingLeftBehind(t *testing.T) {
	for _, taken := range []string{"ca.pem", "service-account-key.pem", "encryption-config.yaml", "admin.kubeconfig"} {
		t.Run(taken, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, taken)
			if err := os.WriteFile(path, []byte("mine"), 0o640); err != nil {
				t.Fatal(err)
			}
			err := Generate(FilesIn(dir), spec())
			if err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want an error that names %s", err, path)
			}
			if all := names(t, dir); len(all) != 2 {
				t.Errorf("left behind: %v", all)
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != "mine" {
				t.Errorf("it was overwritten: %q, %v", data, err)
			}
		})
	}
}

func TestWhatIsNotWantedIsNotMade(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	f := FilesIn(filepath.Join(dir, "kubernetes"))
	f.EncryptionConfig = ""
	if slices.Contains(f.Required(), "") {
		t.Error("a file without a path is required")
	}
	if err := Generate(f, spec()); err != nil {
		t.Fatal(err)
	}
	if all := names(t, dir); len(all) != 2+len(f.Required())+1 { // the directories, and the admin's kubeconfig
		t.Errorf("made: %v", all)
	}
}

func TestDirectoriesMadeForAFailureGoAgain(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := FilesIn(filepath.Join(dir, "deep/below"))
	f.AdminKubeconfig = filepath.Join(blocked, "admin.kubeconfig") // below a file
	if err := Generate(f, spec()); err == nil {
		t.Fatal("it succeeded")
	}
	if all := names(t, dir); len(all) != 2 {
		t.Errorf("left behind: %v", all)
	}
}

// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

func spec() Spec {
	return Spec{AdvertiseAddress: net.ParseIP("10.240.0.10"), Hosts: []string{"controller-0"}, ServiceIP: net.ParseIP("10.32.0.1"), ServerPort: 7443}
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
	for _, name := range []string{
		"127.0.0.1", "::1", "10.240.0.10", "10.32.0.1", "localhost", "controller-0",
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster", "kubernetes.default.svc.cluster.local",
	} {
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

// The lab's subjects, uses and validities, as OpenSSL and cfssl show them.
func TestCertificatesAreTheLabs(t *testing.T) {
	const year = 365 * 24 * time.Hour
	now := time.Now()
	f := generate(t)
	ca := readCert(t, f.CA)
	serials := map[string]bool{}
	for path, want := range map[string]struct {
		subject  string
		validity time.Duration
		usage    x509.KeyUsage
	}{
		f.CA:             {"CN=Kubernetes,OU=CA,O=Kubernetes,L=Portland,ST=Oregon,C=US", 5 * year, x509.KeyUsageCertSign | x509.KeyUsageCRLSign},
		f.Cert:           {"CN=kubernetes,OU=Kubernetes The Hard Way,O=Kubernetes,L=Portland,ST=Oregon,C=US", year, x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment},
		f.ServiceAccount: {"CN=service-accounts,OU=Kubernetes The Hard Way,O=Kubernetes,L=Portland,ST=Oregon,C=US", year, x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment},
	} {
		c := readCert(t, path)
		if got := c.Subject.String(); got != want.subject {
			t.Errorf("%s is of %s, want %s", path, got, want.subject)
		}
		if c.KeyUsage != want.usage {
			t.Errorf("%s has the uses %b, want %b", path, c.KeyUsage, want.usage)
		}
		// Other machines' clocks may run a little behind this one's.
		if c.NotBefore.After(now.Add(-time.Minute)) || c.NotAfter.Sub(now).Round(time.Hour) != want.validity {
			t.Errorf("%s is good from %s to %s, want %s from now", path, c.NotBefore, c.NotAfter, want.validity)
		}
		if len(c.SubjectKeyId) == 0 || path != f.CA && !bytes.Equal(c.AuthorityKeyId, ca.SubjectKeyId) {
			t.Errorf("%s has the key id %x and its CA's %x, which has %x", path, c.SubjectKeyId, c.AuthorityKeyId, ca.SubjectKeyId)
		}
		if serials[c.SerialNumber.String()] {
			t.Errorf("two certificates have the serial number %s", c.SerialNumber)
		}
		serials[c.SerialNumber.String()] = true
	}
}

func TestEncryptionConfigHasAKeyForAES256(t *testing.T) {
	data, err := os.ReadFile(generate(t).EncryptionConfig)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Kind, APIVersion string
		Resources        []struct {
			Resources []string
			Providers []struct {
				AESCBC *struct {
					Keys []struct{ Name, Secret string }
				}
				Identity *struct{}
			}
		}
	}
	if err := yaml.UnmarshalStrict(data, &config); err != nil {
		t.Fatal(err)
	}
	if config.Kind != "EncryptionConfiguration" || config.APIVersion != "apiserver.config.k8s.io/v1" || len(config.Resources) != 1 {
		t.Fatalf("got:\n%s", data)
	}
	r := config.Resources[0]
	if !slices.Equal(r.Resources, []string{"secrets"}) || len(r.Providers) != 2 || r.Providers[0].AESCBC == nil || r.Providers[1].Identity == nil {
		t.Fatalf("secrets are not encrypted first, and read unencrypted too:\n%s", data)
	}
	keys := r.Providers[0].AESCBC.Keys
	if len(keys) != 1 || keys[0].Name != "key1" {
		t.Fatalf("the keys are %v", keys)
	}
	if key, err := base64.StdEncoding.DecodeString(keys[0].Secret); err != nil || len(key) != 32 {
		t.Errorf("the key has %d bytes, %v", len(key), err)
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
		if c.Host != "https://127.0.0.1:7443" || c.Insecure {
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

// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/internal/filetree"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/controllers"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

func list(t *testing.T, items ...string) controllers.List {
	t.Helper()
	l, err := controllers.Parse(items)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// labs are the lab's three controllers behind a balancer. Keys are ECDSA, which the
// machine makes faster.
func labs(t *testing.T) Request {
	return Request{
		Dir: filepath.Join(t.TempDir(), "bundle"), KeyAlgorithm: pki.ECDSA, PublicAddresses: []string{"203.0.113.10"},
		Controllers: list(t, "controller-0=10.240.0.10", "controller-1=10.240.0.11", "controller-2=10.240.0.12"),
	}
}

func write(t *testing.T, r Request) *Bundle {
	t.Helper()
	b, err := New(r, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(time.Now()); err != nil {
		t.Fatal(err)
	}
	return b
}

// verify wants the certificate in dir to be good for hosts, with the CA that is
// beside it.
func verify(t *testing.T, dir string, hosts ...string) *x509.Certificate {
	t.Helper()
	f := pki.FilesIn(dir)
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(f.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		between.AddCert(c)
	}
	for _, host := range append(hosts, "127.0.0.1", "kubernetes.default") {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host}); err != nil {
			t.Errorf("%s: %v", f.Cert, err)
		}
	}
	for _, path := range []string{f.ControllerManagerKubeconfig, f.SchedulerKubeconfig, f.AdminKubeconfig} {
		c, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			t.Fatal(err)
		}
		client, err := tls.X509KeyPair(c.CertData, c.KeyData)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		if err != nil || c.Host != "https://127.0.0.1:6443" || !bytes.Equal(c.CAData, ca) {
			t.Errorf("%s: to %s, %v", path, c.Host, err)
		}
	}
	return pair.Leaf
}

var labHosts = []string{"controller-0", "controller-1", "controller-2", "10.240.0.10", "10.240.0.11", "10.240.0.12", "203.0.113.10"}

func TestOneForAll(t *testing.T) {
	r := labs(t)
	b := write(t, r)
	verify(t, r.Dir, append(labHosts, "10.32.0.1")...)
	if b.Pending() != 11 || len(b.Warnings) != 0 {
		t.Errorf("%d files, warnings %q", b.Pending(), b.Warnings)
	}
	data, err := os.ReadFile(filepath.Join(r.Dir, "khw-controller.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	values, err := config.Read("", data)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := parseControllers(values); err != nil || l.String() != r.Controllers.String() {
		t.Errorf("it lists %v, %v", l, err)
	}
	for name := range filetree.Contents(t, r.Dir) {
		info, err := os.Stat(filepath.Join(r.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		public := slices.Contains([]string{"ca.pem", "kubernetes.pem", "service-account.pem", "khw-controller.yaml"}, name)
		if public != (info.Mode() == 0o644) || !public && info.Mode() != 0o600 {
			t.Errorf("%s has the mode %v", name, info.Mode())
		}
	}
	before := filetree.Contents(t, r.Dir)
	for _, again := range []Request{r, {Dir: r.Dir, KeyAlgorithm: pki.RSA}} {
		if b := write(t, again); b.Pending() != 0 || !maps.Equal(before, filetree.Contents(t, r.Dir)) {
			t.Errorf("the same again changes %d files", b.Pending())
		}
	}
}

// TestAddTo adds a controller and a name: two files are renewed, one is edited, and
// the old ones stay beside.
func TestAddTo(t *testing.T) {
	r := labs(t)
	write(t, r)
	// What an operator has added stays.
	path := filepath.Join(r.Dir, "khw-controller.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, "logging-format: json # ours\n"...), 0o640); err != nil {
		t.Fatal(err)
	}
	before := filetree.Contents(t, r.Dir)
	more := Request{Dir: r.Dir, KeyAlgorithm: pki.RSA, Controllers: list(t, "controller-3=10.240.0.13"), PublicAddresses: []string{"k8s.example.com"}}
	b := write(t, more)
	after := filetree.Contents(t, r.Dir)
	leaf := verify(t, r.Dir, append(labHosts, "controller-3", "10.240.0.13", "k8s.example.com")...)
	if _, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok {
		t.Errorf("the renewed key is a %T", leaf.PublicKey)
	}
	if len(b.Warnings) != 1 || !strings.Contains(b.Warnings[0], "even") {
		t.Errorf("of four controllers it says %q", b.Warnings)
	}
	for name, old := range before {
		changed := slices.Contains([]string{"kubernetes.pem", "kubernetes-key.pem", "khw-controller.yaml"}, name)
		kept := false
		for other, content := range after {
			kept = kept || strings.HasPrefix(other, name+".20") && content == old
		}
		if changed == (after[name] == old) || changed != kept {
			t.Errorf("%s: changed %v, kept beside %v", name, after[name] != old, kept)
		}
	}
	if !strings.Contains(after["khw-controller.yaml"], "logging-format: json # ours\n") || len(after) != len(before)+3 {
		t.Errorf("left: %v", slices.Sorted(maps.Keys(after)))
	}
}

// TestProfiles wants them in the config file: those of a new bundle, others in one that is
// there, and those that are there where none are asked for.
func TestProfiles(t *testing.T) {
	r := labs(t)
	for _, test := range []struct{ wanted, left []string }{
		{[]string{"edge"}, []string{"edge"}}, {nil, []string{"edge"}}, {[]string{"edge", "cis"}, []string{"edge", "cis"}},
	} {
		r.Profiles = test.wanted
		b := write(t, r)
		data, err := os.ReadFile(filepath.Join(r.Dir, "khw-controller.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		values, err := config.Read("", data)
		if err != nil {
			t.Fatal(err)
		}
		if named, err := profile.Parse(strings.Join(values["profile"], ",")); err != nil || !slices.Equal(named, test.left) {
			t.Errorf("%v: it has %v, %v", test.wanted, named, err)
		}
		if l, err := parseControllers(values); err != nil || l.String() != r.Controllers.String() {
			t.Errorf("%v: it lists %v, %v", test.wanted, l, err)
		}
		for _, c := range b.Changes {
			if c.Action == pki.Edit && c.Why != "it has another profile" {
				t.Errorf("%v: %s: %s", test.wanted, c.Path, c.Why)
			}
		}
		if write(t, r).Pending() != 0 {
			t.Errorf("%v: the same again changes something", test.wanted)
		}
	}
}

func TestOneForEach(t *testing.T) {
	r := labs(t)
	r.PerNode = true
	write(t, r)
	leaf := verify(t, filepath.Join(r.Dir, "controller-1"), "controller-1", "10.240.0.11", "203.0.113.10")
	if leaf.VerifyHostname("10.240.0.10") == nil {
		t.Error("the certificate of one is good for another")
	}
	// A fourth one gets what the others share, and the others only another list.
	before := filetree.Contents(t, r.Dir)
	write(t, Request{Dir: r.Dir, PerNode: true, KeyAlgorithm: pki.ECDSA, Controllers: list(t, "controller-3=10.240.0.13")})
	after := filetree.Contents(t, r.Dir)
	leaf = verify(t, filepath.Join(r.Dir, "controller-3"), "controller-3", "10.240.0.13", "203.0.113.10")
	if leaf.VerifyHostname("10.240.0.10") == nil || leaf.VerifyHostname("controller-0") == nil {
		t.Error("the fourth one's certificate is good for another")
	}
	for name, old := range before {
		if (after[name] != old) != strings.HasSuffix(name, "khw-controller.yaml") {
			t.Errorf("%s: changed %v", name, after[name] != old)
		}
	}
	shared := []string{"ca.pem", "ca-key.pem", "service-account.pem", "service-account-key.pem", "encryption-config.yaml", "khw-controller.yaml"}
	for name, content := range after {
		node, file, _ := strings.Cut(name, "/")
		if node == "controller-0" || strings.Contains(file, ".20") {
			continue
		}
		if same := after["controller-0/"+file] == content; same != slices.Contains(shared, file) {
			t.Errorf("%s is the same as controller-0's: %v", name, same)
		}
	}
}

func TestArchive(t *testing.T) {
	r := labs(t)
	r.Dir, r.PerNode, r.KeyAlgorithm = "", true, pki.RSA
	b, err := New(r, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := b.WriteTar(&archive, time.Now()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for reader := tar.NewReader(&archive); ; {
		h, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, h.FileInfo().Mode()); err != nil {
			t.Fatal(err)
		}
	}
	leaf := verify(t, filepath.Join(dir, "controller-2"), "controller-2", "203.0.113.10")
	if key, ok := leaf.PublicKey.(*rsa.PublicKey); !ok || key.N.BitLen() != 2048 {
		t.Errorf("the key is %T", leaf.PublicKey)
	}
}

func TestServiceRange(t *testing.T) {
	r := labs(t)
	r.ServiceRange = "10.96.0.0/16"
	write(t, r)
	verify(t, r.Dir, "10.96.0.1")
	if b := write(t, Request{Dir: r.Dir, KeyAlgorithm: pki.ECDSA}); b.Pending() != 0 {
		t.Errorf("without the range, %d files change", b.Pending())
	}
	values, err := config.Read("", []byte(filetree.Contents(t, r.Dir)["khw-controller.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"kube-apiserver-arg", "kube-controller-manager-arg"} {
		if !slices.Contains(values[key], "service-cluster-ip-range=10.96.0.0/16") || len(values[key]) != 2 {
			t.Errorf("%s: %q", key, values[key])
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		before func(t *testing.T, r *Request) // with the lab's bundle written
		says   string
	}{
		"no controller at all": {func(t *testing.T, r *Request) { r.Dir, r.Controllers = t.TempDir(), nil }, "name the controllers"},
		"another address for a controller": {func(t *testing.T, r *Request) {
			r.Controllers = list(t, "controller-0=10.240.0.99")
		}, "controller-0=10.240.0.10 and controller-0=10.240.0.99 have the same name"},
		"an address that another one has": {func(t *testing.T, r *Request) {
			r.Controllers = list(t, "controller-9=10.240.0.10")
		}, "have the same address"},
		"one for each, of one for all": {func(_ *testing.T, r *Request) { r.PerNode = true }, "holds one bundle for all"},
		"one for all, of one for each": {func(t *testing.T, r *Request) {
			r.Dir, r.PerNode = t.TempDir(), true
			write(t, *r)
			r.PerNode = false
		}, "holds a bundle for each"},
		"another CA": {func(t *testing.T, r *Request) { r.Authority = otherAuthority(t) }, "holds a bundle of another CA"},
		"a CA key that is gone": {func(t *testing.T, r *Request) {
			remove(t, filepath.Join(r.Dir, "ca-key.pem"))
		}, "ca-key.pem is missing"},
		"an encryption key that is gone": {func(t *testing.T, r *Request) {
			remove(t, filepath.Join(r.Dir, "encryption-config.yaml"))
		}, "encryption-config.yaml is missing"},
		"a certificate of another cluster": {func(t *testing.T, r *Request) {
			other := labs(t)
			write(t, other)
			for _, name := range []string{"kubernetes.pem", "kubernetes-key.pem"} {
				move(t, filepath.Join(other.Dir, name), filepath.Join(r.Dir, name))
			}
		}, "kubernetes.pem is not signed by this cluster's CA"},
		"a kubeconfig of another cluster": {func(t *testing.T, r *Request) {
			other := labs(t)
			write(t, other)
			move(t, filepath.Join(other.Dir, "admin.kubeconfig"), filepath.Join(r.Dir, "admin.kubeconfig"))
		}, "admin.kubeconfig: its certificate (admin) is not signed"},
		"one controller of another cluster": {func(t *testing.T, r *Request) {
			r.PerNode = true
			first, second := t.TempDir(), t.TempDir()
			r.Dir = first
			write(t, *r)
			r.Dir = second
			write(t, *r)
			remove(t, filepath.Join(first, "controller-2"))
			move(t, filepath.Join(second, "controller-2"), filepath.Join(first, "controller-2"))
			r.Dir = first
		}, "controller-2/ca.pem is of another cluster"},
		"a config file that is gone": {func(t *testing.T, r *Request) { remove(t, filepath.Join(r.Dir, "khw-controller.yaml")) }, "which controllers is this bundle for"},
		"another service range":      {func(_ *testing.T, r *Request) { r.ServiceRange = "10.96.0.0/16" }, "a cluster keeps its range"},
		"no service range":           {func(_ *testing.T, r *Request) { r.ServiceRange = "10.96.0.0" }, "--service-cluster-ip-range"},
		"a public address with port": {func(_ *testing.T, r *Request) { r.PublicAddresses = []string{"lb.example.com:6443"} }, "without :6443"},
		"a public URL":               {func(_ *testing.T, r *Request) { r.PublicAddresses = []string{"https://lb"} }, "neither an IP address nor a DNS name"},
		"a public loopback":          {func(_ *testing.T, r *Request) { r.PublicAddresses = []string{"127.0.0.1"} }, "cannot reach"},
	} {
		t.Run(name, func(t *testing.T) {
			r := labs(t)
			write(t, r)
			test.before(t, &r)
			before := filetree.Contents(t, r.Dir)
			_, err := New(r, time.Now())
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want an error with %q", err, test.says)
			}
			if !maps.Equal(before, filetree.Contents(t, r.Dir)) {
				t.Error("something was written")
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// otherAuthority is the CA of another bundle.
func otherAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	r := labs(t)
	write(t, r)
	files := filetree.Contents(t, r.Dir)
	ca, err := pki.ParseAuthority([]byte(files["ca.pem"]), []byte(files["ca-key.pem"]), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// FuzzRead reads whatever may be in the config file of a bundle.
func FuzzRead(f *testing.F) {
	f.Add("controllers: [a=10.0.0.1, b=10.0.0.2]\nkube-apiserver-arg: service-cluster-ip-range=10.96.0.0/16\n")
	f.Add("controllers: a=10.0.0.1,b=10.0.0.2\n")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := config.Read("", []byte(text))
		if err != nil {
			return
		}
		all, err := parseControllers(values)
		if err != nil || len(all) == 0 {
			return
		}
		edited, err := withControllers("", []byte(text), append(all, list(t, "new=192.0.2.99")[0]))
		if err != nil {
			return
		}
		again, err := config.Read("", edited)
		if err != nil {
			t.Fatal(err)
		}
		if l, err := parseControllers(again); err != nil || len(l) != len(all)+1 {
			// Unless it is there already.
			if !strings.Contains(text, "new") && !strings.Contains(text, "192.0.2.99") && !strings.Contains(text, "c000:263") {
				t.Errorf("%q lists %v, %v", edited, l, err)
			}
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// madeHere is a plan whose files `run` has made.
func madeHere(t *testing.T) *plan.Plan {
	t.Helper()
	p := planFor(t, t.TempDir())
	if err := p.GenerateMissing(); err != nil {
		t.Fatal(err)
	}
	return p
}

func planFor(t *testing.T, root string, args ...string) *plan.Plan {
	t.Helper()
	c := &config.Config{Root: root, AdvertiseAddress: "192.0.2.10", Args: map[lab.Component][]lab.Override{}}
	for _, a := range args {
		c.Args[lab.APIServer] = append(c.Args[lab.APIServer], lab.Override{Arg: lab.ParseArg(a), Source: config.FromFlag})
	}
	if err := os.MkdirAll(filepath.Join(root, "var/lib/kubernetes"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func listAll(t *testing.T, p *plan.Plan) map[string]Certificate {
	t.Helper()
	all, unreadable, err := List(p)
	if err != nil || len(unreadable) > 0 {
		t.Fatal(err, unreadable)
	}
	byName := map[string]Certificate{}
	for _, c := range all {
		if _, twice := byName[c.Name]; twice {
			t.Errorf("%s is there twice", c.Name)
		}
		byName[c.Name] = c
	}
	return byName
}

func TestList(t *testing.T) {
	p := madeHere(t)
	all := listAll(t, p)
	for name, subject := range map[string]string{
		"ca.pem": "Kubernetes", "kubernetes.pem": "kubernetes", "admin.kubeconfig": "admin",
		"kube-controller-manager.kubeconfig": "system:kube-controller-manager", "kube-scheduler.kubeconfig": "system:kube-scheduler",
	} {
		c, ok := all[name]
		if !ok || c.CommonName != subject || !c.Made || c.Authority != (name == "ca.pem") || c.Issuer != all["ca.pem"].Subject {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if len(all) != 5 || !slices.Contains(all["kubernetes.pem"].Names, "192.0.2.10") {
		t.Errorf("listed: %v", all)
	}
	// Of a file with two, both.
	second := pki.FilesIn(t.TempDir())
	if err := pki.Generate(second, pki.Spec{ServerPort: 6443}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Files.CA, []byte(read(t, p.Files.CA)+read(t, second.CA)), 0o600); err != nil {
		t.Fatal(err)
	}
	both, _, err := List(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(both) != 6 || both[1].Position != 2 || both[0].Made {
		t.Errorf("listed: %+v", both)
	}
	if err := os.WriteFile(p.Files.Cert, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, unreadable, err := List(p); err != nil || len(unreadable) != 1 || !strings.Contains(unreadable[0].Error(), p.Files.Cert) {
		t.Errorf("got %v, %v", unreadable, err)
	}
}

// TestRenewAll renews everything a year later but a day: the same but for keys and
// dates, the old ones beside, and the inventory as sha256sum has it.
func TestRenewAll(t *testing.T) {
	p := madeHere(t)
	before := listAll(t, p)
	old := map[string]string{}
	for name, c := range before {
		old[name] = read(t, c.Path)
	}
	oldKey := read(t, p.Files.Key)
	later := time.Now().Add(364 * 24 * time.Hour)
	r, err := Renew(p, All, later)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Renewals) != 4 || len(r.Left) != 1 || !strings.Contains(r.Left[0].Error(), "is of a CA") {
		t.Fatalf("%d renewed, left: %v", len(r.Renewals), r.Left)
	}
	if after := listAll(t, p); after["kubernetes.pem"].NotAfter != before["kubernetes.pem"].NotAfter {
		t.Error("something was written before it was to be")
	}
	if err := r.Write(later); err != nil {
		t.Fatal(err)
	}
	after := listAll(t, p)
	for name, c := range before {
		now := after[name]
		if name == "ca.pem" {
			if read(t, c.Path) != old[name] {
				t.Error("the CA was changed")
			}
			continue
		}
		if now.Subject != c.Subject || now.Issuer != c.Issuer || !slices.Equal(now.Names, c.Names) || !now.Made {
			t.Errorf("%+v became %+v", c, now)
		}
		if got := now.NotAfter.Sub(c.NotAfter).Round(time.Hour); got != 364*24*time.Hour {
			t.Errorf("%s is good for %s longer", name, got)
		}
		backup := c.Path + "." + later.UTC().Format("20060102T150405Z")
		if read(t, backup) != old[name] {
			t.Errorf("%s is not what was there", backup)
		}
	}
	if read(t, p.Files.Key) == oldKey {
		t.Error("the key is the old one")
	}
	for _, path := range []string{p.Files.Key, p.Files.AdminKubeconfig, p.Path(paths.Inventory)} {
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if _, err := tls.LoadX509KeyPair(p.Files.Cert, p.Files.Key); err != nil {
		t.Error(err)
	}
	for _, path := range []string{p.Files.ControllerManagerKubeconfig, p.Files.SchedulerKubeconfig, p.Files.AdminKubeconfig} {
		c, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tls.X509KeyPair(c.CertData, c.KeyData); err != nil || c.Host != "https://127.0.0.1:6443" || !bytes.Equal(c.CAData, []byte(old["ca.pem"])) {
			t.Errorf("%s: to %s, %v", path, c.Host, err)
		}
	}
	_, sums, _ := strings.Cut(read(t, p.Path(paths.Inventory)), "\n") // after etcd's directory
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet")
	check.Stdin = strings.NewReader(sums)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum does not agree: %v\n%s\n%s", err, out, sums)
	}
}

// TestRenewDueAtTheEndOfTheCA renews nothing that would not be good for longer.
func TestRenewDueAtTheEndOfTheCA(t *testing.T) {
	p := madeHere(t)
	const year = 365 * 24 * time.Hour
	start := time.Now()
	for _, step := range []struct {
		at      time.Duration
		renewed int
	}{{year / 2, 0}, {3 * year / 4, 4}, {9 * year / 2, 4}, {9*year/2 + 5*year/12, 0}} {
		now := start.Add(step.at)
		r, err := RenewDue(p, now)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Renewals) != step.renewed {
			t.Errorf("after %s, %d are renewed, want %d; left: %v", step.at, len(r.Renewals), step.renewed, r.Left)
		}
		if err := r.Write(now); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRenewNamed(t *testing.T) {
	p := madeHere(t)
	now := time.Now()
	r, err := RenewNamed(p, []string{"kubernetes.pem", p.Files.AdminKubeconfig}, now)
	if err != nil || len(r.Renewals) != 2 || r.Renewals[0].Takeover != plan.Running || r.Renewals[1].Takeover != plan.NextUse {
		t.Fatalf("got %+v, %v", r, err)
	}
	scheduler, key := read(t, p.Files.SchedulerKubeconfig), read(t, p.Files.Key)
	if err := r.Write(now); err != nil {
		t.Fatal(err)
	}
	if read(t, p.Files.SchedulerKubeconfig) != scheduler || read(t, p.Files.Key) == key {
		t.Error("others were renewed, or those not")
	}
}

// TestRenewByAnotherCA renews what is not the cluster's CA's, where that one's key is
// beside it.
func TestRenewByAnotherCA(t *testing.T) {
	root, other := t.TempDir(), pki.FilesIn(t.TempDir())
	if err := pki.Generate(other, pki.Spec{AdvertiseAddress: net.IPv4(192, 0, 2, 10), ServiceIP: net.IPv4(10, 32, 0, 1), ServerPort: 6443}); err != nil {
		t.Fatal(err)
	}
	p := planFor(t, root, "requestheader-client-ca-file="+other.CA, "proxy-client-cert-file="+other.Cert, "proxy-client-key-file="+other.Key)
	if err := p.GenerateMissing(); err != nil {
		t.Fatal(err)
	}
	r, err := RenewNamed(p, []string{other.Cert}, time.Now())
	if err != nil || len(r.Renewals) != 1 || r.Renewals[0].Path != other.Cert || r.Renewals[0].Key != other.Key {
		t.Fatalf("got %+v, %v", r, err)
	}
	remove(t, other.CAKey)
	if r, err := RenewNamed(p, []string{other.Cert}, time.Now()); err == nil || !strings.Contains(err.Error(), "whose key is not here") {
		t.Errorf("without that key: %+v, %v", r, err)
	}
}

func TestRenewRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, p *plan.Plan)
		name  string
		says  string
	}{
		"no such certificate":    {nil, "etcd.pem", "is no certificate in force; there are: ca.pem"},
		"a CA":                   {nil, "ca.pem", "ca.pem: is of a CA"},
		"a CA whose key is gone": {func(t *testing.T, p *plan.Plan) { remove(t, p.Files.CAKey) }, "kubernetes.pem", `kubernetes.pem: is signed by "Kubernetes", whose key is not here`},
		"a file that is no certificate": {func(t *testing.T, p *plan.Plan) {
			if err := os.WriteFile(p.Files.Cert, []byte("hello"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "kubernetes.pem", "holds no certificate"},
		"a file that is gone": {func(t *testing.T, p *plan.Plan) { remove(t, p.Files.AdminKubeconfig) }, "admin.kubeconfig", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			p := madeHere(t)
			if test.spoil != nil {
				test.spoil(t, p)
			}
			_, err := RenewNamed(p, []string{test.name}, time.Now())
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want an error with %q", err, test.says)
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

// TestLinksAreFollowed renews what is kept elsewhere, and leaves the link.
func TestLinksAreFollowed(t *testing.T) {
	p := madeHere(t)
	elsewhere := filepath.Join(t.TempDir(), "serving.pem")
	if err := os.Rename(p.Files.Cert, elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, p.Files.Cert); err != nil {
		t.Fatal(err)
	}
	before := read(t, elsewhere)
	r, err := RenewNamed(p, []string{"kubernetes.pem"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(time.Now()); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(p.Files.Cert); err != nil || target != elsewhere || read(t, elsewhere) == before {
		t.Errorf("the link leads to %s, %v", target, err)
	}
	if _, err := tls.LoadX509KeyPair(p.Files.Cert, p.Files.Key); err != nil {
		t.Error(err)
	}
}

// TestKubeconfigWithFiles lists and renews the files that a kubeconfig names.
func TestKubeconfigWithFiles(t *testing.T) {
	p := madeHere(t)
	c, err := clientcmd.LoadFromFile(p.Files.SchedulerKubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(p.Files.CA)
	for _, user := range c.AuthInfos {
		for name, data := range map[string][]byte{"scheduler.pem": user.ClientCertificateData, "scheduler-key.pem": user.ClientKeyData} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		user.ClientCertificateData, user.ClientKeyData = nil, nil
		user.ClientCertificate, user.ClientKey = "scheduler.pem", "scheduler-key.pem" // beside it
	}
	if err := clientcmd.WriteToFile(*c, p.Files.SchedulerKubeconfig); err != nil {
		t.Fatal(err)
	}
	if all := listAll(t, p); all["scheduler.pem"].CommonName != "system:kube-scheduler" || len(all) != 5 {
		t.Errorf("listed: %v", all)
	}
	r, err := RenewNamed(p, []string{"scheduler.pem"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "scheduler.pem"), filepath.Join(dir, "scheduler-key.pem")); err != nil {
		t.Error(err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/khw-controller/khw-controller/pkg/inventory"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// caStep takes one step of a rotation.
type caStep func(*CARotation) (*Change, error)

func signNow(c *CARotation) (*Change, error) { return c.Sign(time.Now()) }

func readCA(t *testing.T, p *plan.Plan) *CARotation {
	t.Helper()
	c, err := ReadCARotation(p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(t *testing.T, change *Change, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := change.Write(time.Now()); err != nil {
		t.Fatal(err)
	}
}

func begin(t *testing.T, p *plan.Plan) {
	t.Helper()
	change, err := BeginCARotation(p, nil, time.Now())
	put(t, change, err)
}

func mustBe(t *testing.T, p *plan.Plan, want Phase) *CARotation {
	t.Helper()
	c := readCA(t, p)
	if c.Phase != want {
		t.Fatalf("the phase is %s, want %s", c.Phase, want)
	}
	return c
}

func pool(t *testing.T, pem []byte) *x509.CertPool {
	t.Helper()
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(pem) {
		t.Fatal("there is no CA")
	}
	return p
}

// trustedBy reports whether what is shown by a file, or a kubeconfig's user, is
// verified by CAs.
func trustedBy(t *testing.T, f plan.CertificateFile, roots *x509.CertPool) bool {
	t.Helper()
	_, chain, err := load(f)
	if err != nil {
		t.Fatal(err)
	}
	behind := x509.NewCertPool()
	for _, c := range chain[1:] {
		behind.AddCert(c)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: behind, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil
}

// mustBeVerified wants everything here to be verified by all that is trusted here, and
// by other CAs or not by them.
func mustBeVerified(t *testing.T, p *plan.Plan, other []byte, wanted bool) {
	t.Helper()
	for _, f := range files(p) {
		if _, chain, err := load(f); err != nil || chain[0].IsCA {
			continue
		}
		if !trustedBy(t, f, pool(t, []byte(read(t, p.Files.CA)))) {
			t.Errorf("%s is not verified by %s", f.Path, p.Files.CA)
		}
		if got := trustedBy(t, f, pool(t, other)); got != wanted {
			t.Errorf("%s is verified by the other CA: %t", f.Path, got)
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
		if !bytes.Equal(c.CAData, []byte(read(t, p.Files.CA))) {
			t.Errorf("%s trusts others than %s", path, p.Files.CA)
		}
	}
}

// TestRotateCA goes through all steps: everything is verified by everybody until the
// last one.
func TestRotateCA(t *testing.T) {
	p := madeHere(t)
	old, oldKey, servingKey := []byte(read(t, p.Files.CA)), read(t, p.Files.CAKey), read(t, p.Files.Key)
	mustBe(t, p, NotRotating)
	begin(t, p)

	c := mustBe(t, p, Trusting)
	mustBeVerified(t, p, old, true)
	made, err := inventory.Read(p.Path(paths.Inventory))
	if err != nil || !made.Has(p.Path(paths.NextCA)) || !made.Has(p.Path(paths.NextCAKey)) {
		t.Errorf("the next CA is not in the inventory: %v", err)
	}
	if cas, err := pki.ParseCertificates([]byte(read(t, p.Files.CA))); err != nil || len(cas) != 2 || !c.IsOld(cas[0]) || !c.IsNext(cas[1]) {
		t.Errorf("trusted are %v, %v", cas, err)
	}
	if read(t, p.Files.CAKey) != oldKey || read(t, p.Files.Key) != servingKey {
		t.Error("something was signed before it was to be")
	}
	next := pem(t, c)
	change, err := c.Sign(time.Now())
	put(t, change, err)
	if len(change.Left) > 0 {
		t.Errorf("left: %v", change.Left)
	}

	c = mustBe(t, p, Signing)
	mustBeVerified(t, p, old, true)
	mustBeVerified(t, p, next, true)
	if read(t, p.Files.Key) == servingKey || !c.IsKeyOfNext([]byte(read(t, p.Files.CAKey))) {
		t.Error("the next one does not sign")
	}
	remove(t, p.Path(paths.NextCAKey)) // it is in ca-key.pem
	c = mustBe(t, p, Signing)
	again, err := c.Sign(time.Now())
	if err != nil || len(again.Edits) > 0 || len(again.Left) > 0 {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	// A renewal in between keeps what is shown.
	r, err := Renew(p, All, time.Now())
	if err != nil || len(r.Renewals) != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := r.Write(time.Now()); err != nil {
		t.Fatal(err)
	}
	mustBeVerified(t, p, old, true)
	change, err = mustBe(t, p, Signing).Finish()
	put(t, change, err)

	mustBe(t, p, NotRotating)
	mustBeVerified(t, p, old, false)
	mustBeVerified(t, p, next, true)
	if !bytes.Equal([]byte(read(t, p.Files.CA)), next) {
		t.Error("more than the next one is trusted")
	}
	for _, c := range listAll(t, p) {
		if !c.Made {
			t.Errorf("%s is not as it was made", c.Name)
		}
	}
	// And once more.
	begin(t, p)
	mustBe(t, p, Trusting)
}

// pem is the next CA's certificate.
func pem(t *testing.T, c *CARotation) []byte {
	t.Helper()
	data, err := c.TrustNext([]byte(read(t, c.plan.Files.CA)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRotateCAOnAnother goes on on another controller, with copies of the two files.
func TestRotateCAOnAnother(t *testing.T) {
	first := madeHere(t)
	root := t.TempDir()
	second := planFor(t, root)
	if err := os.CopyFS(filepath.Dir(second.Files.CA), os.DirFS(filepath.Dir(first.Files.CA))); err != nil {
		t.Fatal(err)
	}
	other := madeHere(t)
	begin(t, first)
	for _, p := range []*plan.Plan{second, other} {
		for _, path := range []paths.Path{paths.NextCA, paths.NextCAKey} {
			if err := os.WriteFile(p.Path(path), []byte(read(t, first.Path(path))), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	change, err := mustBe(t, second, Copied).Trust()
	put(t, change, err)
	if info, err := os.Stat(second.Path(paths.NextCAKey)); err != nil || info.Mode() != 0o600 {
		t.Errorf("the key is there for others: %v, %v", info.Mode(), err)
	}
	putStep(t, mustBe(t, second, Trusting), signNow)
	mustBeVerified(t, first, pem(t, readCA(t, second)), false)
	mustBeVerified(t, second, []byte(read(t, first.Files.CA)), true)
	if _, err := ReadCARotation(other); err == nil || !strings.Contains(err.Error(), "is of another cluster") {
		t.Errorf("in another cluster: %v", err)
	}
	remove(t, first.Path(paths.NextCAKey))
	if _, err := mustBe(t, first, Trusting).Sign(time.Now()); err == nil || !strings.Contains(err.Error(), "next-ca-key.pem is missing") {
		t.Errorf("without the key: %v", err)
	}
	putStep(t, mustBe(t, first, Trusting), (*CARotation).Undo)
}

func putStep(t *testing.T, c *CARotation, step caStep) {
	t.Helper()
	change, err := step(c)
	put(t, change, err)
}

// TestUndoCARotation leaves everything as it was.
func TestUndoCARotation(t *testing.T) {
	p := madeHere(t)
	before := map[string]string{}
	for _, f := range p.Files.Required() {
		before[f] = read(t, f)
	}
	begin(t, p)
	putStep(t, readCA(t, p), (*CARotation).Undo)
	mustBe(t, p, NotRotating)
	for path, content := range before {
		if filepath.Ext(path) != ".kubeconfig" && read(t, path) != content {
			t.Errorf("%s is another", path)
		}
	}
	mustBeVerified(t, p, []byte(before[p.Files.CA]), true)
	begin(t, p)
	putStep(t, readCA(t, p), signNow)
	if _, err := readCA(t, p).Undo(); err == nil || !strings.Contains(err.Error(), "finish this rotation") {
		t.Errorf("got %v", err)
	}
	if _, err := BeginCARotation(p, nil, time.Now()); err == nil || !strings.Contains(err.Error(), "a rotation has begun") {
		t.Errorf("got %v", err)
	}
}

// TestInterruptedCARotation ends each step between any two of its own, and takes it
// again.
func TestInterruptedCARotation(t *testing.T) {
	type interrupted struct{}
	t.Cleanup(func() { step = func(string) {} })
	for name, take := range map[string]struct {
		before []caStep
		step   caStep
		// points are where it ends, and which phase that is.
		points map[string]Phase
		end    Phase
	}{
		"undo": {nil, (*CARotation).Undo, map[string]Phase{
			"written": Copied, "removed next-ca-key.pem": Copied, "removed next-ca.pem": NotRotating}, NotRotating},
		"sign": {nil, signNow, map[string]Phase{"written": Signing}, Signing},
		"finish": {[]caStep{signNow}, (*CARotation).Finish, map[string]Phase{
			"written": Finished, "removed next-ca-key.pem": Finished, "removed next-ca.pem": NotRotating}, NotRotating},
	} {
		for point, phase := range take.points {
			t.Run(name+" "+point, func(t *testing.T) {
				p := madeHere(t)
				begin(t, p)
				for _, s := range take.before {
					putStep(t, readCA(t, p), s)
				}
				change, err := take.step(readCA(t, p))
				if err != nil {
					t.Fatal(err)
				}
				step = func(at string) {
					if at == point {
						panic(interrupted{})
					}
				}
				func() {
					defer func() {
						if r := recover(); r != (interrupted{}) {
							t.Fatalf("it was not interrupted: %v", r)
						}
					}()
					_ = change.Write(time.Now())
				}()
				step = func(string) {}
				mustBeVerified(t, p, []byte(read(t, p.Files.CA)), true)
				if c := mustBe(t, p, phase); phase != NotRotating {
					putStep(t, c, take.step)
				}
				mustBe(t, p, take.end)
				mustBeVerified(t, p, []byte(read(t, p.Files.CA)), true)
			})
		}
	}
}

// TestRotateCALeavesOthers leaves what another CA has signed, and finds its own CA in
// all files where it is trusted.
func TestRotateCALeavesOthers(t *testing.T) {
	other := pki.FilesIn(t.TempDir())
	if err := pki.Generate(other, pki.Spec{ServerPort: 6443}); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	elsewhere := filepath.Join(root, "kubelets.pem")
	p := planFor(t, root, "kubelet-certificate-authority="+elsewhere, "kubelet-client-certificate="+other.Cert, "kubelet-client-key="+other.Key)
	if err := p.GenerateMissing(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(elsewhere, []byte(read(t, other.CA)+read(t, p.Files.CA)), 0o600); err != nil {
		t.Fatal(err)
	}
	untouched := read(t, other.Cert)
	begin(t, p)
	c := mustBe(t, p, Trusting)
	if cas, err := pki.ParseCertificates([]byte(read(t, elsewhere))); err != nil || len(cas) != 3 {
		t.Errorf("trusted are %v, %v", cas, err)
	}
	change, err := c.Sign(time.Now())
	put(t, change, err)
	if len(change.Left) != 1 || !strings.Contains(change.Left[0], other.Cert) {
		t.Errorf("left: %v", change.Left)
	}
	change, err = mustBe(t, p, Signing).Finish()
	put(t, change, err)
	cas, err := pki.ParseCertificates([]byte(read(t, elsewhere)))
	if err != nil || len(cas) != 2 || slices.ContainsFunc(cas, c.IsOld) {
		t.Errorf("trusted are %v, %v", cas, err)
	}
	if read(t, other.Cert) != untouched {
		t.Error("another CA's certificate was changed")
	}
}

// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/pkg/encryption"
	"github.com/khw-controller/khw-controller/pkg/inventory"
)

func TestWhatWasMadeHereStaysOnTheList(t *testing.T) {
	w := newWorld(t, 1, withKey(plain))
	c := w.controllers[0]
	entries, err := inventory.Files([]string{c.Path})
	w.must(err)
	w.must(inventory.Add(c.Inventory, entries))
	w.follow(c)
	if _, err := w.rotator().Rotate(t.Context(), Wanted{}); err != nil {
		t.Fatal(err)
	}
	made, err := inventory.Read(c.Inventory)
	w.must(err)
	kept, err := filepath.Glob(c.Path + ".*")
	w.must(err)
	if len(kept) != 1 || len(made) != 2 || !made.Has(c.Path) || !made.Has(kept[0]) {
		t.Errorf("made are %v, kept is %v", made, kept)
	}
	left, err := os.ReadDir(c.dir)
	w.must(err)
	var names []string
	for _, f := range left {
		names = append(names, f.Name())
	}
	want := []string{filepath.Base(c.Path), filepath.Base(kept[0]), "in-force", "made"}
	if slices.Sort(want); !slices.Equal(names, want) {
		t.Errorf("left are %v, want %v", names, want)
	}
}

func TestWhatIsInForceWaitsForNoRestart(t *testing.T) {
	w := newWorld(t, 1, withKey(plain))
	var reread []string
	var warned []string
	w.controllers[0].Reread = func(path string) {
		reread = append(reread, path)
		warned = append(warned, w.controllers[0].Warning())
	}
	stop := w.follow(w.controllers[0])
	if _, err := w.rotator().Rotate(t.Context(), Wanted{}); err != nil {
		t.Fatal(err)
	}
	stop()
	w.controllers[0].lookWith(t.Context(), w.client)
	for i, how := range []string{"added as second", "made first", "the old dropped"} {
		if i >= len(warned) || !strings.Contains(warned[i], ", "+how+"; khw-controller secrets-encrypt rotate") {
			t.Errorf("in step %d, status warns %q", i+1, warned)
		}
	}
	if w := w.controllers[0].Warning(); w != "" {
		t.Errorf("after all, it warns %q", w)
	}
	if len(reread) != 3 || reread[0] != w.controllers[0].Path {
		t.Errorf("after three steps, it was said of %v", reread)
	}
}

// TestAForeignConfigurationIsNotTakenOver puts what is not the rotation's where the
// controllers look for it.
func TestAForeignConfigurationIsNotTakenOver(t *testing.T) {
	w := newWorld(t, 1, withKey(plain))
	c := w.controllers[0]
	before, err := os.ReadFile(c.Path)
	w.must(err)
	seal, err := NewSeal(c.SigningKey)
	w.must(err)
	foreign, err := NewSeal(signingKey(t))
	w.must(err)
	other := []byte(strings.Replace(string(before), "key1", "evil", 1))
	genuine := Rotation{ID: "1", Phase: Second, From: encryption.Hash(before), To: encryption.Hash(other)}
	for name, test := range map[string]struct {
		change func(r *Rotation)
		says   string
	}{
		"another's seal": {func(r *Rotation) { r.Sealed = foreign.close(*r, other) }, "was sealed with another service account key"},
		"nothing":        {func(r *Rotation) { r.Sealed = nil }, "was sealed with another"},
		"a damaged one":  {func(r *Rotation) { r.Sealed[20] ^= 1 }, "was sealed with another"},
		"another step's": {func(r *Rotation) { r.Phase = Alone }, "was sealed with another"},
		"another one's":  {func(r *Rotation) { r.ID = "2" }, "was sealed with another"},
		"of other content": {func(r *Rotation) {
			r.Sealed = seal.close(*r, append(other, '\n'))
		}, "is not the one that was announced"},
		"no configuration": {func(r *Rotation) {
			r.To = encryption.Hash([]byte("x"))
			r.Sealed = seal.close(*r, []byte("x"))
		}, "the next configuration"},
		"from another file": {func(r *Rotation) {
			r.From = "sha256:0"
			r.Sealed = seal.close(*r, other)
		}, "is another one than the rotation goes on from"},
	} {
		t.Run(name, func(t *testing.T) {
			r := genuine
			r.Sealed = seal.close(r, other)
			test.change(&r)
			if err := c.follow(t.Context(), r); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
			if after, err := os.ReadFile(c.Path); err != nil || string(after) != string(before) {
				t.Errorf("the file is another one now, %v", err)
			}
		})
	}
	r := genuine
	r.Sealed = seal.close(r, other)
	if err := c.follow(t.Context(), r); err != nil || w.providers(c.Path) != "secrets: aescbc evil, identity" {
		t.Errorf("the genuine one: %v, %s", err, w.providers(c.Path))
	}
}

func TestASealNeedsAKey(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(bad, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{"": "service-account-signing-key-file", bad: bad + ": is not a private key", bad + "x": bad + "x"} {
		if _, err := NewSeal(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v", path, err)
		}
	}
}

func TestAReportIsRenewedWhenItHasToBe(t *testing.T) {
	w := newWorld(t, 1, withKey(plain))
	c := w.controllers[0]
	written := func() (count int) {
		for _, a := range w.client.Actions() {
			if a.GetResource().Resource == "leases" && (a.GetVerb() == "create" || a.GetVerb() == "update") {
				count++
			}
		}
		return count
	}
	for i, step := range []struct {
		change func()
		want   int
	}{
		{func() {}, 1}, {func() {}, 1},
		{func() { c.written = c.written.Add(-reportEvery) }, 2},
		{func() { w.must(os.WriteFile(c.Path, []byte(withKey()), 0o600)) }, 3},
		{func() { w.must(os.Remove(c.Path)) }, 4}, {func() {}, 4},
	} {
		step.change()
		c.lookWith(t.Context(), w.client)
		if got := written(); got != step.want {
			t.Errorf("step %d: it was written %d times, want %d", i, got, step.want)
		}
	}
	l, err := w.client.CoordinationV1().Leases("kube-system").Get(t.Context(), leaseName(c.Address), metav1.GetOptions{})
	w.must(err)
	if text := fmt.Sprint(l.Annotations); !strings.Contains(text, "no such file") || *l.Spec.HolderIdentity != "controller-0" {
		t.Errorf("the report is %s", text)
	}
}

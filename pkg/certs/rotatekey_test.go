// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/util/keyutil"

	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

func keyPhase(t *testing.T, p *plan.Plan, want Phase, keys int) *KeyRotation {
	t.Helper()
	k, err := ReadKeyRotation(p)
	if err != nil {
		t.Fatal(err)
	}
	public, err := keyutil.PublicKeysFromFile(p.Files.ServiceAccount) // as the apiserver reads it
	if err != nil {
		t.Fatal(err)
	}
	if k.Phase != want || len(public) != keys {
		t.Fatalf("the phase is %s, with %d keys, want %s, with %d", k.Phase, len(public), want, keys)
	}
	return k
}

// TestRotateKey goes through all steps, on a controller and on another.
func TestRotateKey(t *testing.T) {
	p, other := madeHere(t), madeHere(t)
	old := read(t, p.Files.ServiceAccountKey)
	keyPhase(t, p, NotRotating, 1)
	change, err := BeginKeyRotation(p, time.Now())
	put(t, change, err)
	k := keyPhase(t, p, Trusting, 2)
	if read(t, p.Files.ServiceAccountKey) != old {
		t.Error("the next one signs before it is to")
	}
	if _, err := BeginKeyRotation(p, time.Now()); err == nil || !strings.Contains(err.Error(), "a rotation has begun") {
		t.Errorf("got %v", err)
	}
	for _, path := range []paths.Path{paths.NextServiceAccount, paths.NextServiceAccountKey} {
		if err := os.WriteFile(other.Path(path), []byte(read(t, p.Path(path))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadKeyRotation(other); err == nil || !strings.Contains(err.Error(), "is of another cluster") {
		t.Errorf("in another cluster: %v", err)
	}
	change, err = k.Undo()
	put(t, change, err)
	keyPhase(t, p, NotRotating, 1)
	// As if it had begun elsewhere.
	for _, path := range []paths.Path{paths.NextServiceAccount, paths.NextServiceAccountKey} {
		if err := os.WriteFile(p.Path(path), []byte(read(t, other.Path(path))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change, err = keyPhase(t, p, Copied, 1).Trust()
	put(t, change, err)
	change, err = keyPhase(t, p, Trusting, 2).Sign()
	put(t, change, err)
	k = keyPhase(t, p, Signing, 2)
	if read(t, p.Files.ServiceAccountKey) != read(t, p.Path(paths.NextServiceAccountKey)) {
		t.Error("the next one does not sign")
	}
	if _, err := k.Undo(); err == nil || !strings.Contains(err.Error(), "finish this rotation") {
		t.Errorf("got %v", err)
	}
	if change, err = k.Sign(); err != nil || len(change.Edits) != 0 {
		t.Errorf("a second time: %+v, %v", change, err)
	}
	change, err = k.Finish()
	put(t, change, err)
	keyPhase(t, p, NotRotating, 1)
	if read(t, p.Files.ServiceAccountKey) == old {
		t.Error("the old one signs")
	}
	if c := listAll(t, p); !c["ca.pem"].Made {
		t.Error("the inventory has lost the CA")
	}
}

// TestInterruptedKeyRotation ends the last step between any two of its own.
func TestInterruptedKeyRotation(t *testing.T) {
	type interrupted struct{}
	t.Cleanup(func() { step = func(string) {} })
	for _, point := range []string{"written", "removed next-service-account-key.pem", "removed next-service-account.pem"} {
		p := madeHere(t)
		change, err := BeginKeyRotation(p, time.Now())
		put(t, change, err)
		change, err = keyPhase(t, p, Trusting, 2).Sign()
		put(t, change, err)
		if change, err = keyPhase(t, p, Signing, 2).Finish(); err != nil {
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
					t.Fatalf("%s: it was not interrupted: %v", point, r)
				}
			}()
			_ = change.Write(time.Now())
		}()
		step = func(string) {}
		k, err := ReadKeyRotation(p)
		if err != nil {
			t.Fatal(err)
		}
		if k.Phase != NotRotating {
			change, err = k.Finish()
			put(t, change, err)
		}
		keyPhase(t, p, NotRotating, 1)
	}
}

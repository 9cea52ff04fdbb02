// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// KeyRotation is how far the rotation of the key of service account tokens is on this
// controller, as the files say.
type KeyRotation struct {
	Phase Phase
	// KeyRotation is nil while there is none.
	*pki.KeyRotation

	plan *plan.Plan
	// public is the file with the public keys, and private are those that sign.
	public  string
	private []string
}

// ReadKeyRotation reads how far it is.
func ReadKeyRotation(p *plan.Plan) (*KeyRotation, error) {
	k := &KeyRotation{Phase: NotRotating, plan: p}
	data, err := os.ReadFile(p.Path(paths.NextServiceAccount))
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(p.Path(paths.NextServiceAccountKey))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if k.KeyRotation, err = pki.ReadKeyRotation(data, key); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Path(paths.NextServiceAccount), err)
	}
	if err := k.findFiles(); err != nil {
		return nil, err
	}
	k.Phase, err = k.phase()
	return k, err
}

// findFiles finds the files of the key pair in the settings.
func (k *KeyRotation) findFiles() error {
	p := k.plan
	signs := p.TokenSigningKey
	switch {
	case signs.Path == "":
		return errors.New("no file here signs tokens (--service-account-signing-key-file): rotate the key where they are signed")
	case len(p.ServiceAccountKeys) == 0:
		return errors.New("no file here has the keys that verify tokens (--service-account-key-file)")
	}
	k.private = []string{signs.Path}
	if c := p.ControllerTokenKey.Path; c != "" && c != signs.Path {
		k.private = append(k.private, c)
	}
	for _, f := range p.ServiceAccountKeys {
		if f.Path == signs.Path {
			return fmt.Errorf("%s verifies tokens and signs them; have %s name a file with the public key", f, f.Flag)
		}
		data, err := os.ReadFile(f.Path)
		if err != nil {
			return err
		}
		if k.KeyRotation != nil && (k.HasOld(data) || k.HasNext(data)) || k.KeyRotation == nil && k.public == "" {
			k.public = f.Path
		}
	}
	if k.public == "" {
		return fmt.Errorf("%s is of another cluster: no key that verifies tokens here is the one whose place it takes; remove it, and the private one", p.Path(paths.NextServiceAccount))
	}
	return nil
}

func (k *KeyRotation) phase() (Phase, error) {
	public, err := os.ReadFile(k.public)
	if err != nil {
		return "", err
	}
	switch {
	case !k.HasNext(public):
		return Copied, nil
	case !k.HasOld(public):
		return Finished, nil
	}
	key, err := os.ReadFile(k.private[0])
	switch {
	case err != nil:
		return "", err
	case k.HasNext(key):
		return Signing, nil
	}
	return Trusting, nil
}

// BeginKeyRotation prepares the rotation's beginning: the next key, and its trust.
func BeginKeyRotation(p *plan.Plan, now time.Time) (*Change, error) {
	k, err := ReadKeyRotation(p)
	if err != nil {
		return nil, err
	}
	if k.Phase != NotRotating {
		return nil, fmt.Errorf("a rotation has begun: %s is there; go on with it without --begin, or give it up with --undo", p.Path(paths.NextServiceAccount))
	}
	if err := k.findFiles(); err != nil {
		return nil, err
	}
	public, err := os.ReadFile(k.public)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(k.private[0])
	if err != nil {
		return nil, err
	}
	if k.KeyRotation, err = pki.BeginKeyRotation(public, key, readAuthorities(p, now), now); err != nil {
		return nil, fmt.Errorf("%s: %w", k.public, err)
	}
	change, err := k.Trust()
	if err != nil {
		return nil, err
	}
	both, nextKey := k.PEM()
	change.add(atomicfiles.File{Path: p.Path(paths.NextServiceAccount), Mode: 0o644, Data: both}, "the next key of service account tokens, public")
	change.add(atomicfiles.File{Path: p.Path(paths.NextServiceAccountKey), Mode: 0o600, Data: nextKey}, "the same, private")
	return change, nil
}

// Trust prepares the first step: tokens of both are good.
func (k *KeyRotation) Trust() (*Change, error) {
	if k.Key() == nil {
		return nil, missing(k.plan.Path(paths.NextServiceAccountKey))
	}
	change, err := k.edit(Trusting, k.KeyRotation.Trust, "verifies tokens of both")
	if err == nil {
		change.claim = []string{k.plan.Path(paths.NextServiceAccount), k.plan.Path(paths.NextServiceAccountKey)}
	}
	return change, err
}

// Sign prepares the second step: new tokens are of the next one.
func (k *KeyRotation) Sign() (*Change, error) {
	change := k.newChange(Signing)
	if k.Key() == nil {
		return nil, missing(k.plan.Path(paths.NextServiceAccountKey))
	}
	for _, path := range k.private {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		switch {
		case k.HasNext(data):
			continue
		case !k.HasOld(data):
			return nil, fmt.Errorf("%s is neither the old key nor the next one; give up this rotation with --undo, and begin another", path)
		}
		if err := change.replace(path, k.Key(), "the next key"); err != nil {
			return nil, err
		}
	}
	return change, nil
}

// Finish prepares the last step: only tokens of the next one are good.
func (k *KeyRotation) Finish() (*Change, error) {
	change := k.newChange(NotRotating)
	if k.Phase == Signing {
		var err error
		if change, err = k.edit(NotRotating, k.TrustNext, "verifies tokens of the next one only"); err != nil {
			return nil, err
		}
	}
	k.removeNext(change)
	return change, nil
}

// Undo prepares the way back before anything was signed by the next one.
func (k *KeyRotation) Undo() (*Change, error) {
	change := k.newChange(NotRotating)
	switch k.Phase {
	case Signing, Finished:
		return nil, errors.New("the next key signs here already; finish this rotation, and begin another")
	case Trusting:
		var err error
		if change, err = k.edit(NotRotating, k.TrustOld, "verifies tokens of the old one only"); err != nil {
			return nil, err
		}
	}
	k.removeNext(change)
	return change, nil
}

func (k *KeyRotation) edit(to Phase, keys func([]byte) []byte, what string) (*Change, error) {
	change := k.newChange(to)
	data, err := os.ReadFile(k.public)
	if err != nil {
		return nil, err
	}
	return change, change.replace(k.public, keys(data), what)
}

func (k *KeyRotation) newChange(to Phase) *Change { return &Change{Phase: to, plan: k.plan} }

func (k *KeyRotation) removeNext(change *Change) {
	change.remove = []string{k.plan.Path(paths.NextServiceAccountKey), k.plan.Path(paths.NextServiceAccount)}
}

// missing is the error of a next key that is not here.
func missing(path string) error {
	return fmt.Errorf("%s is missing: copy it from where the rotation began, or give the rotation up with --undo", path)
}

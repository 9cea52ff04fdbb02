// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// CARotation is how far the rotation of the CA is on this controller, as the files
// say, which are the only record of it.
type CARotation struct {
	Phase Phase
	// Rotation is nil while there is none.
	*pki.Rotation

	plan *plan.Plan
	// trusting are the files, of CAs and kubeconfigs, that have the old CA or the next
	// one.
	trusting []trusting
}

// trusting is a file with CAs that are trusted.
type trusting struct {
	path       string
	kubeconfig bool
	data       []byte
	cas        []*x509.Certificate
}

// ReadCARotation reads how far it is.
func ReadCARotation(p *plan.Plan) (*CARotation, error) {
	c := &CARotation{Phase: NotRotating, plan: p}
	certs, err := os.ReadFile(p.Path(paths.NextCA))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	trusted, err := os.ReadFile(p.Files.CA)
	if err != nil {
		return nil, err
	}
	cas, err := pki.ParseCertificates(trusted)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Files.CA, err)
	}
	key, err := os.ReadFile(p.Path(paths.NextCAKey))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if c.Rotation, err = pki.ReadRotation(certs, key, cas); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Path(paths.NextCA), err)
	}
	if signs, err := os.ReadFile(p.Files.CAKey); err == nil && key == nil && c.IsKeyOfNext(signs) {
		if c.Rotation, err = pki.ReadRotation(certs, signs, cas); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Files.CAKey, err)
		}
	}
	c.Phase, err = c.phase(cas)
	if err != nil {
		return nil, err
	}
	c.trusting, err = c.findTrusting()
	return c, err
}

func (c *CARotation) phase(trusted []*x509.Certificate) (Phase, error) {
	old, next := slices.ContainsFunc(trusted, c.IsOld), slices.ContainsFunc(trusted, c.IsNext)
	switch {
	case !next:
		return Copied, nil
	case !old:
		return Finished, nil
	}
	key, err := os.ReadFile(c.plan.Files.CAKey)
	switch {
	case err != nil:
		return "", err
	case c.IsKeyOfNext(key):
		return Signing, nil
	}
	return Trusting, nil
}

// findTrusting returns every file with the old CA or the next one that something
// here trusts: what components read, and the admin's kubeconfig.
func (c *CARotation) findTrusting() ([]trusting, error) {
	candidates := []string{c.plan.Files.CA, c.plan.Files.AdminKubeconfig}
	for _, u := range c.plan.Uses() {
		candidates = append(candidates, u.Path)
	}
	for _, f := range c.plan.Certificates() {
		candidates = append(candidates, f.Path)
	}
	slices.Sort(candidates)
	var shown []string // certificates with which somebody introduces itself
	for _, f := range files(c.plan) {
		if f.Key != "" {
			shown = append(shown, f.Path)
		}
	}
	var all []trusting
	for _, path := range slices.Compact(candidates) {
		if path == "" || slices.Contains(shown, path) {
			continue
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		t := trusting{path: path, data: data}
		if t.cas, err = pki.ParseCertificates(data); err != nil {
			t.kubeconfig = true
			if t.cas, err = pki.KubeconfigAuthorities(data); err != nil {
				continue // neither of the two: a key, a policy
			}
		}
		if slices.ContainsFunc(t.cas, func(x *x509.Certificate) bool { return c.IsOld(x) || c.IsNext(x) }) {
			all = append(all, t)
		}
	}
	return all, nil
}

// Trusts reports whether a file has one of the two CAs.
func (c *CARotation) Trusts(path string) bool {
	return slices.ContainsFunc(c.trusting, func(t trusting) bool { return t.path == path })
}

// BeginCARotation prepares the rotation's beginning: the next CA, made here unless
// there is one, and its trust.
func BeginCARotation(p *plan.Plan, next *pki.Authority, now time.Time) (*Change, error) {
	c, err := ReadCARotation(p)
	if err != nil {
		return nil, err
	}
	if c.Phase != NotRotating {
		return nil, fmt.Errorf("a rotation has begun: %s is there; go on with it without --begin, or give it up with --undo", p.Path(paths.NextCA))
	}
	if p.Files.CAKey == "" {
		return nil, errors.New("no file here has the key of the CA (--cluster-signing-key-file): rotate it where that is")
	}
	cert, err := os.ReadFile(p.Files.CA)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(p.Files.CAKey)
	if err != nil {
		return nil, err
	}
	old, err := pki.ParseAuthority(cert, key, now)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", p.Files.CA, p.Files.CAKey, err)
	}
	if c.Rotation, err = pki.BeginRotation(old, next, now); err != nil {
		return nil, err
	}
	if c.trusting, err = c.findTrusting(); err != nil {
		return nil, err
	}
	change, err := c.Trust()
	if err != nil {
		return nil, err
	}
	certs, nextKey, err := c.PEM()
	if err != nil {
		return nil, err
	}
	change.add(atomicfiles.File{Path: p.Path(paths.NextCA), Mode: 0o644, Data: certs}, "the next CA")
	change.add(atomicfiles.File{Path: p.Path(paths.NextCAKey), Mode: 0o600, Data: nextKey}, "its key")
	return change, nil
}

// Trust prepares the first step: both CAs are trusted, wherever the old one is.
func (c *CARotation) Trust() (*Change, error) {
	change := c.newChange(Trusting)
	change.claim = []string{c.plan.Path(paths.NextCA), c.plan.Path(paths.NextCAKey)}
	if !c.Next.HasKey() {
		return nil, missing(c.plan.Path(paths.NextCAKey))
	}
	for _, t := range c.trusting {
		if slices.ContainsFunc(t.cas, c.IsNext) {
			continue
		}
		if err := c.edit(change, t, func(data []byte) ([]byte, error) { return c.Rotation.Trust(data), nil }, "trusts both"); err != nil {
			return nil, err
		}
	}
	return change, nil
}

// Undo prepares the way back before anything was signed by the next CA.
func (c *CARotation) Undo() (*Change, error) {
	switch c.Phase {
	case Signing, Finished:
		return nil, errors.New("certificates here are signed by the next CA already; finish this rotation, and begin another")
	}
	change := c.newChange(NotRotating)
	for _, t := range c.trusting {
		if !slices.ContainsFunc(t.cas, c.IsNext) {
			continue
		}
		if err := c.edit(change, t, c.TrustOld, "trusts the old one only"); err != nil {
			return nil, err
		}
	}
	c.removeNext(change)
	return change, nil
}

// edit changes the CAs in one file.
func (c *CARotation) edit(change *Change, t trusting, authorities func([]byte) ([]byte, error), what string) error {
	var data []byte
	var err error
	if t.kubeconfig {
		data, err = c.EditKubeconfig(t.data, authorities, nil)
	} else {
		data, err = authorities(t.data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	return change.replace(t.path, data, what)
}

// Sign prepares the second step: what the old CA has signed here is signed by the
// next one, and so is what the controller-manager signs from then on.
func (c *CARotation) Sign(now time.Time) (*Change, error) {
	change := c.newChange(Signing)
	if !c.Next.HasKey() {
		return nil, missing(c.plan.Path(paths.NextCAKey))
	}
	_, key, err := c.PEM()
	if err != nil {
		return nil, err
	}
	for _, path := range c.signingKeys() {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if !c.IsKeyOfOld(data) {
			if !c.IsKeyOfNext(data) {
				change.Left = append(change.Left, path+" is of another CA")
			}
			continue
		}
		if err := change.replace(path, key, "the next CA's"); err != nil {
			return nil, err
		}
	}
	for _, f := range files(c.plan) {
		if err := c.sign(change, f, now); err != nil {
			return nil, err
		}
	}
	return change, nil
}

// signingKeys are the files of the keys that sign certificates here.
func (c *CARotation) signingKeys() []string {
	all := []string{c.plan.Files.CAKey}
	for _, s := range c.plan.ControllerManager.SigningPairs() {
		if !slices.Contains(all, s.KeyFile) {
			all = append(all, s.KeyFile)
		}
	}
	return all
}

// sign signs one certificate anew.
func (c *CARotation) sign(change *Change, f plan.CertificateFile, now time.Time) error {
	data, chain, err := load(f)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil && f.Kubeconfig {
		change.Left = append(change.Left, err.Error()) // its user has a token, say
		return nil
	}
	switch {
	case err != nil:
		return err
	case chain[0].IsCA:
		return nil
	case c.Next.Signed(chain[0]), change.has(f.Path):
		return nil
	case !c.SignedByOld(chain[0]):
		change.Left = append(change.Left, fmt.Sprintf("%s is signed by %q", f.Path, chain[0].Issuer.CommonName))
		return nil
	case f.Kubeconfig:
		signed, err := c.SignKubeconfig(change.pending(f.Path, data), now)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		return change.replace(f.Path, signed, "signed by the next CA")
	case f.Key == "":
		return fmt.Errorf("%s: no component has its key; put the certificate of a CA there", f.Path)
	case change.has(f.Key):
		return fmt.Errorf("%s: is of two certificates; give each a file and a key of its own", f.Key)
	}
	cert, key, err := c.Rotation.Sign(data, now)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return errors.Join(change.replace(f.Path, cert, "signed by the next CA"), change.replace(f.Key, key, "its key"))
}

// Finish prepares the last step: only the next CA is trusted.
func (c *CARotation) Finish() (*Change, error) {
	change := c.newChange(NotRotating)
	if c.Phase == Signing {
		for _, t := range c.trusting {
			if slices.ContainsFunc(t.cas, c.IsOld) {
				if err := c.edit(change, t, c.finished, "trusts the next one only"); err != nil {
					return nil, err
				}
			}
		}
		for _, f := range files(c.plan) {
			if err := c.show(change, f); err != nil {
				return nil, err
			}
		}
	}
	c.removeNext(change)
	return change, nil
}

// finished are the CAs in a file without the old one. There is never none.
func (c *CARotation) finished(bundle []byte) ([]byte, error) {
	cas, err := pki.ParseCertificates(bundle)
	if err == nil && !slices.ContainsFunc(cas, c.IsNext) {
		bundle = c.Rotation.Trust(bundle)
	}
	if err != nil {
		return nil, err
	}
	return c.TrustNext(bundle)
}

// show has a certificate shown without what those need who trust the old CA only.
func (c *CARotation) show(change *Change, f plan.CertificateFile) error {
	data, chain, err := load(f)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil && f.Kubeconfig:
		return nil // Sign has left it
	case err != nil:
		return err
	case chain[0].IsCA:
		return nil
	case c.SignedByOld(chain[0]):
		return fmt.Errorf("%s is signed by the old CA; have it signed by the next one first: khw-controller certs rotate-ca", f.Path)
	case !c.Next.Signed(chain[0]):
		return nil
	case f.Kubeconfig:
		data, err = c.EditKubeconfig(change.pending(f.Path, data), nil, c.ShowNext)
	default:
		data, err = c.ShowNext(data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	if len(chain) == 1 {
		return nil // it is shown so already
	}
	return change.replace(f.Path, data, "shown without the old CA's signature")
}

func (c *CARotation) removeNext(change *Change) {
	// The key goes first: without the certificate it is nobody's.
	change.remove = []string{c.plan.Path(paths.NextCAKey), c.plan.Path(paths.NextCA)}
}

func (c *CARotation) newChange(to Phase) *Change { return &Change{Phase: to, plan: c.plan} }

// Client makes the certificate of a user, good for a few minutes, that those believe
// too who trust the old CA only.
func (c *CARotation) Client(user string, groups []string, now time.Time) (cert, key []byte, err error) {
	cert, key, err = c.Next.Client(user, groups, now)
	return append(cert, c.Cross()...), key, err
}

// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/inventory"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// Renewal is a certificate that is renewed.
type Renewal struct {
	Name string `json:"name"`
	Path string `json:"path"`
	// Key is the file of the key, of which there is a new one; "" for a kubeconfig,
	// which has it inside.
	Key      string    `json:"key,omitempty"`
	Subject  string    `json:"subject"`
	Before   time.Time `json:"before"` // when the old one expires
	NotAfter time.Time `json:"notAfter"`
	// Takeover is when a running control plane uses it.
	Takeover plan.Takeover `json:"-"`

	files []atomicfiles.File
}

// Renewals are some certificates to be renewed together.
type Renewals struct {
	Renewals []Renewal
	// Left are the others that were asked for all together, each with the reason why
	// it stays as it is.
	Left []error

	plan      *plan.Plan
	inventory inventory.Inventory
}

// All selects every certificate that can be renewed here.
func All(plan.CertificateFile, *x509.Certificate) bool { return true }

// Renew prepares the renewal of what is selected: by the same CA, with the same
// subject and names, for a new key of the same kind. It writes nothing. What cannot
// be renewed here, a CA or what another CA has signed, is left.
func Renew(p *plan.Plan, selected func(plan.CertificateFile, *x509.Certificate) bool, now time.Time) (*Renewals, error) {
	made, err := inventory.Read(p.Path(paths.Inventory))
	if err != nil {
		return nil, err
	}
	authorities := readAuthorities(p, now)
	r := &Renewals{plan: p, inventory: made}
	for _, f := range files(p) {
		data, chain, err := load(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			r.Left = append(r.Left, err)
			continue
		}
		if !selected(f, chain[0]) {
			continue
		}
		renewal, err := renew(f, data, chain[0], authorities, now)
		if err != nil {
			r.Left = append(r.Left, err)
			continue
		}
		r.Renewals = append(r.Renewals, renewal)
	}
	return r, nil
}

// RenewDue is Renew for those that this program has made here, and of whose life two
// thirds are over.
func RenewDue(p *plan.Plan, now time.Time) (*Renewals, error) {
	made, err := inventory.Read(p.Path(paths.Inventory))
	if err != nil {
		return nil, err
	}
	r, err := Renew(p, func(f plan.CertificateFile, c *x509.Certificate) bool {
		life := c.NotAfter.Sub(c.NotBefore)
		return !c.IsCA && made.Has(f.Path) && (f.Key == "" || made.Has(f.Key)) && now.After(c.NotBefore.Add(life/3*2))
	}, now)
	if err != nil {
		return nil, err
	}
	// Nothing is good for longer than its CA: at the end of that one's life, there is
	// nothing to be gained.
	r.Renewals = slices.DeleteFunc(r.Renewals, func(x Renewal) bool {
		gained := x.NotAfter.Sub(x.Before) >= leastGain
		if !gained {
			r.Left = append(r.Left, fmt.Errorf("%s: its CA expires on %s, and no certificate of that CA is good for longer", x.Path, x.NotAfter.Format(time.DateOnly)))
		}
		return !gained
	})
	return r, nil
}

// leastGain is what a renewal without anybody's asking has to bring.
const leastGain = 24 * time.Hour

// RenewNamed is Renew for those with these names or paths. What cannot be renewed
// is an error.
func RenewNamed(p *plan.Plan, names []string, now time.Time) (*Renewals, error) {
	named := func(f plan.CertificateFile, name string) bool { return name == f.Path || name == filepath.Base(f.Path) }
	known := files(p)
	for _, name := range names {
		count := 0
		var all []string
		for _, f := range known {
			all = append(all, filepath.Base(f.Path))
			if named(f, name) {
				count++
			}
		}
		switch {
		case count == 0:
			return nil, fmt.Errorf("%s is no certificate in force; there are: %s", name, strings.Join(all, ", "))
		case count > 1:
			return nil, fmt.Errorf("%s is the name of %d files; say which by its path", name, count)
		}
	}
	wanted := func(f plan.CertificateFile) bool {
		return slices.ContainsFunc(names, func(name string) bool { return named(f, name) })
	}
	for _, f := range known {
		if !wanted(f) {
			continue
		}
		if _, _, err := load(f); err != nil {
			return nil, err
		}
	}
	r, err := Renew(p, func(f plan.CertificateFile, _ *x509.Certificate) bool { return wanted(f) }, now)
	if err != nil {
		return nil, err
	}
	var refused []error
	for _, f := range known {
		renewed := slices.ContainsFunc(r.Renewals, func(x Renewal) bool { return x.Path == f.Path })
		if wanted(f) && !renewed {
			refused = append(refused, r.reason(f.Path))
		}
	}
	return r, errors.Join(refused...)
}

// reason is why a file is left.
func (r *Renewals) reason(path string) error {
	for _, err := range r.Left {
		if strings.HasPrefix(err.Error(), path+":") {
			return err
		}
	}
	return fmt.Errorf("%s: cannot be renewed here", path)
}

// readAuthorities returns the CAs whose keys are here.
func readAuthorities(p *plan.Plan, now time.Time) []*pki.Authority {
	pairs := [][2]string{{p.Signing.Cert.Path, p.Signing.Key.Path}, {p.Files.CA, p.Files.CAKey}}
	for _, s := range p.ControllerManager.SigningPairs() {
		pairs = append(pairs, [2]string{s.CertFile, s.KeyFile})
	}
	for _, f := range files(p) {
		if stem, ok := strings.CutSuffix(f.Path, ".pem"); ok && f.Key == "" {
			pairs = append(pairs, [2]string{f.Path, stem + "-key.pem"}) // as the lab calls them
		}
	}
	var all []*pki.Authority
	for _, pair := range pairs {
		cert, certErr := os.ReadFile(pair[0])
		key, keyErr := os.ReadFile(pair[1])
		if certErr != nil || keyErr != nil {
			continue
		}
		if ca, err := pki.ParseAuthority(cert, key, now); err == nil {
			all = append(all, ca)
		}
	}
	return all
}

func renew(f plan.CertificateFile, data []byte, old *x509.Certificate, authorities []*pki.Authority, now time.Time) (Renewal, error) {
	if old.IsCA {
		return Renewal{}, fmt.Errorf("%s: is of a CA (%s): everything that trusts it would have to be given another", f.Path, old.Subject.CommonName)
	}
	i := slices.IndexFunc(authorities, func(ca *pki.Authority) bool { return ca.Signed(old) })
	if i < 0 {
		return Renewal{}, fmt.Errorf("%s: is signed by %q, whose key is not here, or which has expired; renew it where that CA is", f.Path, old.Issuer.CommonName)
	}
	r := Renewal{Name: filepath.Base(f.Path), Path: f.Path, Key: f.Key, Subject: old.Subject.String(), Before: old.NotAfter, Takeover: f.Takeover}
	if f.Kubeconfig {
		renewed, notAfter, err := authorities[i].RenewKubeconfig(data, now)
		if err != nil {
			return r, fmt.Errorf("%s: %w", f.Path, err)
		}
		r.NotAfter = notAfter
		return r, r.write(f.Path, renewed)
	}
	if f.Key == "" {
		return r, fmt.Errorf("%s: is no CA's, and no component has its key; put the certificate of the CA there", f.Path)
	}
	cert, key, notAfter, err := authorities[i].Renew(data, now)
	if err != nil {
		return r, fmt.Errorf("%s: %w", f.Path, err)
	}
	r.NotAfter = notAfter
	return r, errors.Join(r.write(f.Path, cert), r.write(f.Key, key))
}

// write adds a file that is written; where there is a link, what it leads to.
func (r *Renewal) write(path string, data []byte) error {
	f, err := replacement(path, data)
	if err != nil {
		return err
	}
	r.files = append(r.files, f)
	return nil
}

// Write puts all of them in place, or none; the old files stay beside, with a date.
func (r *Renewals) Write(now time.Time) error {
	if len(r.Renewals) == 0 {
		return nil
	}
	var all []atomicfiles.File
	for _, renewal := range r.Renewals {
		all = append(all, renewal.files...)
	}
	return write(r.plan, r.inventory, all, now)
}

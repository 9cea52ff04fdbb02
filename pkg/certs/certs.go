// SPDX-License-Identifier: Apache-2.0

// Package certs is the certificates in force on one controller: what each of them
// is, when it expires, and its renewal by the CA that signed it.
package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/khw-controller/khw-controller/pkg/inventory"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// Certificate is one certificate in force.
type Certificate struct {
	// Name is that of its file, without the directory.
	Name string `json:"name"`
	Path string `json:"path"`
	// Position is where in the file it is, from 1.
	Position int    `json:"position"`
	Subject  string `json:"subject"`
	// CommonName is of the subject.
	CommonName string   `json:"commonName"`
	Issuer     string   `json:"issuer"`
	Names      []string `json:"names"`
	// Authority tells that it is a CA's.
	Authority bool      `json:"authority"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	// Made tells that this program has made its file, which is as it was made.
	Made bool `json:"made"`
}

// Left is how long it is still good for.
func (c Certificate) Left(now time.Time) time.Duration { return c.NotAfter.Sub(now) }

// List returns every certificate in force, by file and position, and the files that
// cannot be read as certificates, each with the reason. A file that is not there is
// passed over: the lab's may still be made, and an admin's kubeconfig be elsewhere.
func List(p *plan.Plan) (all []Certificate, unreadable []error, err error) {
	made, err := inventory.Read(p.Path(paths.Inventory))
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files(p) {
		_, chain, err := load(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			unreadable = append(unreadable, err)
			continue
		}
		isMade := made.Has(f.Path)
		for i, c := range chain {
			all = append(all, certificate(f, i, c, isMade))
		}
	}
	return all, unreadable, nil
}

// files lists the files with certificates in force. Those that a kubeconfig names
// are read again while it is in use; it has none inside then.
func files(p *plan.Plan) []plan.CertificateFile {
	var all []plan.CertificateFile
	for _, f := range p.Certificates() {
		if f.Kubeconfig {
			if cert, key := pki.KubeconfigFiles(f.Path); cert != "" {
				f = plan.CertificateFile{Path: cert, Key: key}
			}
		}
		if !slices.ContainsFunc(all, func(o plan.CertificateFile) bool { return o.Path == f.Path }) {
			all = append(all, f)
		}
	}
	return all
}

func certificate(f plan.CertificateFile, i int, c *x509.Certificate, made bool) Certificate {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return Certificate{
		Name: filepath.Base(f.Path), Path: f.Path, Position: i + 1, Subject: c.Subject.String(), CommonName: c.Subject.CommonName, Issuer: c.Issuer.String(),
		Names: names, Authority: c.IsCA, NotBefore: c.NotBefore, NotAfter: c.NotAfter, Made: made,
	}
}

// load reads a file and the certificates in it, the one in use first.
func load(f plan.CertificateFile) (data []byte, chain []*x509.Certificate, err error) {
	if data, err = os.ReadFile(f.Path); err != nil {
		return nil, nil, err
	}
	if f.Kubeconfig {
		chain, err = pki.KubeconfigCertificates(data)
	} else {
		chain, err = pki.ParseCertificates(data)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return data, chain, nil
}

// Soonest is, of the certificates of each file, the one that expires first; the
// soonest of all comes first.
func Soonest(all []Certificate) []Certificate {
	var out []Certificate
	for _, c := range all {
		i := slices.IndexFunc(out, func(o Certificate) bool { return o.Path == c.Path })
		switch {
		case i < 0:
			out = append(out, c)
		case c.NotAfter.Before(out[i].NotAfter):
			out[i] = c
		}
	}
	slices.SortStableFunc(out, func(a, b Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	return out
}

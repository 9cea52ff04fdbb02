// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto/x509"
	"errors"
	"fmt"

	certutil "k8s.io/client-go/util/cert"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// loader is how a component reads a file of CAs.
type loader func(data []byte) error

// everyCertificate wants all of them to be sound: --client-ca-file and
// --root-ca-file (client-go's util/cert).
func everyCertificate(data []byte) error {
	_, err := certutil.ParseCertsPEM(data)
	return err
}

// anyCertificate passes over damaged ones: kubeconfigs and
// --kubelet-certificate-authority (client-go's transport).
func anyCertificate(data []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return errors.New("no certificate")
	}
	return nil
}

// checkBundle reads a file of CAs and evaluates each of them. One that is of no
// use beside a good one is a warning; without a good one, useless is the severity.
func checkBundle(in input, f plan.File, load loader, useless Severity) ([]*x509.Certificate, []Finding) {
	if f.Path == "" {
		return nil, nil
	}
	fix := "point " + f.Flag + " to a CA certificate"
	data, unreadable := readFile(f.Path)
	if unreadable != nil {
		return nil, unreadable.finding(Error, f.Path, fix)
	}
	certs, damaged := parseCertificates(data)
	if load(data) != nil {
		return nil, damaged.finding(Error, f.Path, fix)
	}
	var found []Finding
	if damaged != nil {
		found = damaged.finding(Warning, f.Path, "remove what is damaged")
	}
	return certs, append(found, checkAuthorities(in, f, certs, useless)...)
}

func checkAuthorities(in input, f plan.File, certs []*x509.Certificate, useless Severity) []Finding {
	var found []Finding
	good := 0
	for i, c := range certs {
		problem, fix := invalidAt(in.Now, c), validityFix(in.Now, c)
		if !isAuthority(c) {
			problem, fix = "is the certificate of "+c.Subject.CommonName+", not of a CA", "point "+f.Flag+" to a CA certificate"
		}
		if problem == "" {
			good++
			continue
		}
		if len(certs) > 1 {
			problem = fmt.Sprintf("certificate %d of %d in it (%s) %s", i+1, len(certs), name(c), problem)
			fix = "remove it from the file, or " + fix
		}
		found = append(found, Finding{Warning, f.Path, problem, fix})
	}
	for i := range found {
		if good == 0 {
			found[i].Severity = useless
		}
	}
	return found
}

// isAuthority reports whether a certificate may sign others, as crypto/x509 sees
// it: those of version 1 say nothing about that.
func isAuthority(c *x509.Certificate) bool {
	return c.IsCA || !c.BasicConstraintsValid && c.Version < 3
}

// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto/x509"
	"errors"

	"github.com/khw-controller/khw-controller/pkg/component/controllermanager"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// checkSigning evaluates the CAs that sign for CertificateSigningRequests. Of
// several certificates in a file, the one that the key belongs to signs.
func checkSigning(in input) []Finding {
	var found []Finding
	for _, p := range in.ControllerManager.SigningPairs() {
		cert, problems := signingCertificate(p)
		found = append(found, problems...)
		switch {
		case cert == nil:
		case invalidAt(in.Now, cert) != "":
			// It still starts, and what it signs is of no use.
			found = append(found, warning(p.CertFile, invalidAt(in.Now, cert), validityFix(in.Now, cert))...)
		case !isAuthority(cert):
			found = append(found, warning(p.CertFile, "is the certificate of "+cert.Subject.CommonName+", not of a CA: what it signs is accepted by nobody",
				"point "+plan.ArgFlag(lab.ControllerManager, p.CertFlag)+" to a CA certificate")...)
		}
	}
	return found
}

// signingCertificate returns the certificate that signs, or why there is none.
func signingCertificate(p controllermanager.SigningPair) (*x509.Certificate, []Finding) {
	wantCert := "point " + plan.ArgFlag(lab.ControllerManager, p.CertFlag) + " to a certificate"
	wantKey := "point " + plan.ArgFlag(lab.ControllerManager, p.KeyFlag) + " to the key of " + p.CertFile
	bundle, unreadable := readFile(p.CertFile)
	if unreadable != nil {
		return nil, unreadable.finding(Error, p.CertFile, wantCert)
	}
	key, unreadable := readFile(p.KeyFile)
	if unreadable != nil {
		return nil, unreadable.finding(Error, p.KeyFile, wantKey)
	}
	cert, err := controllermanager.SigningCertificate(bundle, key)
	if err == nil {
		return cert, nil
	}
	if errors.Is(err, controllermanager.ErrNotTheKey) {
		return nil, failure(p.KeyFile, "is not the key of the certificate "+p.CertFile, "use the two files that were made together")
	}
	if _, damaged := parseCertificates(bundle); damaged != nil {
		return nil, damaged.finding(Error, p.CertFile, wantCert)
	}
	_, wrong := parseKey(key)
	return nil, wrong.finding(Error, p.KeyFile, wantKey)
}

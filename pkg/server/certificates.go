// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/x509"
	"iter"
	"slices"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"

	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/status"
)

// certificates lists the certificates in use, the one that expires first at the
// top. Files without any, such as a bare public key, are passed over; unreadable
// ones are for preflight to tell.
func certificates(p *plan.Plan) []status.Certificate {
	files, kubeconfigs := p.CertificateFiles()
	var all []status.Certificate
	for path := range unique(files) {
		if certs, err := cert.CertsFromFile(path); err == nil {
			all = append(all, certificate(path, certs[0]))
		}
	}
	for path := range unique(kubeconfigs) {
		if c, err := clientCertificate(path); err == nil {
			all = append(all, certificate(path, c))
		}
	}
	slices.SortStableFunc(all, func(a, b status.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	return all
}

// unique goes through paths, each once; the lab names one file in several flags.
func unique(paths []string) iter.Seq[string] {
	return slices.Values(slices.Compact(slices.Sorted(slices.Values(paths))))
}

func certificate(path string, c *x509.Certificate) status.Certificate {
	return status.Certificate{Path: path, Subject: c.Subject.CommonName, NotAfter: c.NotAfter}
}

// clientCertificate returns with what a kubeconfig's user introduces itself.
func clientCertificate(kubeconfig string) (*x509.Certificate, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	if len(config.CertData) == 0 {
		certs, err = cert.CertsFromFile(config.CertFile)
	} else {
		certs, err = cert.ParseCertsPEM(config.CertData)
	}
	if err != nil {
		return nil, err
	}
	return certs[0], nil
}

// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto/x509"
	"errors"

	"go.etcd.io/etcd/client/pkg/v3/transport"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// checkEtcdFiles evaluates with what the apiserver goes to etcd, and what an
// embedded member shows it. Whom another etcd trusts is asked by checkEtcd.
func checkEtcdFiles(in input) []Finding {
	chain, found := loadPair(in.EtcdClient)
	if len(found) > 0 {
		return found
	}
	if _, err := in.EtcdAccess.TLS(); err != nil {
		var p *etcdclient.Problem
		if errors.As(err, &p) {
			return failure(p.Subject, p.Text, p.Fix)
		}
	}
	_, found = checkBundle(in, in.EtcdCA, anyCertificate, Warning)
	if in.Etcd == nil {
		if len(chain) > 0 && invalidAt(in.Now, chain[0]) != "" {
			found = append(found, warning(in.EtcdClient.Cert.Path, invalidAt(in.Now, chain[0]), validityFix(in.Now, chain[0]))...)
		}
		return found
	}
	return append(found, checkMember(in, chain)...)
}

// checkMember sees whether the embedded member and the apiserver know each other.
func checkMember(in input, client []*x509.Certificate) []Finding {
	info := in.Etcd.ClientTLSInfo
	if info.Empty() {
		return nil
	}
	server, found := loadPair(memberPair(info))
	if server == nil {
		return found
	}
	if authorities := certificatesIn(in.EtcdCA.Path); len(authorities) > 0 {
		found = append(found, checkChain(in, server, authorities, info.CertFile, in.EtcdCA.Path, x509.ExtKeyUsageServerAuth)...)
	}
	for _, u := range in.Etcd.AdvertiseClientUrls {
		// As in the lab, it may be the apiserver's own: one finding says it all.
		known := info.CertFile == in.Serving.Cert.Path && verifiesName(in, u.Hostname())
		if u.Scheme == "https" && !known && server[0].VerifyHostname(u.Hostname()) != nil {
			found = append(found, failure(info.CertFile, "does not name "+u.Hostname()+", where the apiserver reaches etcd", "sign it again with "+u.Hostname()+" among its hostnames")...)
		}
	}
	authorities := certificatesIn(info.TrustedCAFile)
	if info.ClientCertAuth && len(authorities) > 0 && len(client) > 0 {
		found = append(found, checkChain(in, client, authorities, in.EtcdClient.Cert.Path, info.TrustedCAFile, x509.ExtKeyUsageClientAuth)...)
	}
	return found
}

func memberPair(info transport.TLSInfo) plan.Pair {
	return plan.Pair{Cert: plan.File{Flag: "--etcd-arg cert-file", Path: info.CertFile}, Key: plan.File{Flag: "--etcd-arg key-file", Path: info.KeyFile}}
}

// checkChain verifies the certificates of a file with the CAs of another.
func checkChain(in input, chain, authorities []*x509.Certificate, path, caPath string, usage x509.ExtKeyUsage) []Finding {
	if _, err := verify(chain, pool(authorities), usage, in.Now); err != nil {
		return whyNotVerified(err, chain, authorities, caPath, usage, in.Now).finding(Error, path, "")
	}
	return nil
}

func certificatesIn(path string) []*x509.Certificate {
	data, unreadable := readFile(path)
	if unreadable != nil {
		return nil
	}
	certs, _ := parseCertificates(data)
	return certs
}

// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto/x509"
	"slices"
	"time"
)

// atLaterClock returns the input at the time from which all certificates in use
// are valid, and what that time is waited for with: a machine that boots without a
// clock of its own is in the past until it has asked for the time. The other checks
// go on as of then.
func (in input) atLaterClock() (input, []Finding) {
	var found []Finding
	later := in
	for _, u := range certificatesInUse(in) {
		from := u.validFrom(in.Now)
		if !in.Now.Before(from) {
			continue
		}
		found = append(found, Finding{Wait, u.path, "is valid only from " + from.Format(dateLayout), "set this machine's clock, which says " + in.Now.UTC().Format(dateLayout)})
		if later.Now.Before(from) {
			later.Now = from
		}
	}
	later.clockBehind = len(found) > 0
	return later, dedupe(found)
}

// inUse is a certificate that a component shows, the others in its file, and the
// CAs that may have signed it.
type inUse struct {
	path  string
	chain []*x509.Certificate
	roots []*x509.Certificate
}

// validFrom is when the certificate, and all that vouch for it, are valid; CAs that
// it has nothing to do with may be of the future.
func (u inUse) validFrom(now time.Time) time.Time {
	from := u.chain[0].NotBefore
	for _, c := range slices.Concat(u.chain[1:], u.roots) {
		if now.Before(c.NotBefore) && from.Before(c.NotBefore) && isIssuer(c, u.chain) {
			from = c.NotBefore
		}
	}
	return from
}

// certificatesInUse are what the components show each other; what cannot be loaded
// is reported by the checks of those files.
func certificatesInUse(in input) []inUse {
	roots := certificatesIn(in.ClientCA.Path)
	var all []inUse
	add := func(path string, chain []*x509.Certificate) {
		if len(chain) > 0 {
			all = append(all, inUse{path, chain, roots})
		}
	}
	serving, _ := loadPair(in.Serving)
	add(in.Serving.Cert.Path, serving)
	client, _ := loadPair(in.EtcdClient)
	add(in.EtcdClient.Cert.Path, client)
	if in.Etcd != nil && !in.Etcd.ClientTLSInfo.Empty() {
		member, _ := loadPair(memberPair(in.Etcd.ClientTLSInfo))
		add(in.Etcd.ClientTLSInfo.CertFile, member)
	}
	for _, f := range in.Kubeconfigs {
		if k, problems := loadKubeconfig(in, f); len(problems) == 0 {
			chain, _ := parsePair(k.config.CertData, k.config.KeyData)
			add(f.Path, chain)
		}
	}
	return all
}

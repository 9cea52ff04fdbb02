// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto/x509"
	"slices"
)

// checkCertificates evaluates every certificate and key that a flag names: an
// error is what stops a component, or keeps the components from each other.
func checkCertificates(in input) []Finding {
	clients, found := checkBundle(in, in.ClientCA, everyCertificate, Error)
	_, problems := checkBundle(in, in.RootCA, everyCertificate, Warning)
	found = append(found, problems...)
	kubelets, problems := checkBundle(in, in.KubeletCA, anyCertificate, Warning)
	found = append(found, problems...)
	found = append(found, checkSigning(in)...)
	found = append(found, checkServing(in, clients)...)
	found = append(found, checkKubeletClient(in, slices.Concat(clients, kubelets))...)
	found = append(found, checkEtcdFiles(in)...)
	return dedupe(append(found, checkForeign(in, clients)...))
}

// dedupe drops repeats: the lab names one file in several flags.
func dedupe(all []Finding) []Finding {
	var out []Finding
	for _, f := range all {
		same := func(g Finding) bool { return g.Problem == f.Problem && g.Subject == f.Subject }
		if !slices.ContainsFunc(out, same) {
			out = append(out, f)
		}
	}
	return out
}

// checkKubeletClient evaluates as whom the apiserver goes to kubelets. Only logs,
// exec and port-forward depend on that; whom kubelets trust is not known here.
func checkKubeletClient(in input, authorities []*x509.Certificate) []Finding {
	chain, found := loadPair(in.KubeletClient)
	if chain == nil {
		// The files have to be there; what is in them is looked at only then.
		for i := range found {
			if isReadable(in.KubeletClient.Cert.Path) && isReadable(in.KubeletClient.Key.Path) {
				found[i].Severity = Warning
			}
		}
		return found
	}
	if len(authorities) == 0 {
		return nil
	}
	if _, err := verify(chain, pool(authorities), x509.ExtKeyUsageClientAuth, in.Now); err != nil {
		wrong := whyNotVerified(err, chain, authorities, in.ClientCA.Path, x509.ExtKeyUsageClientAuth, in.Now)
		return wrong.finding(Warning, in.KubeletClient.Cert.Path, "")
	}
	return nil
}

func isReadable(path string) bool {
	_, unreadable := readFile(path)
	return unreadable == nil
}

// checkForeign finds CAs that are trusted and that nothing here depends on. That
// is so while a CA is rotated, and afterwards it is a risk.
func checkForeign(in input, clients []*x509.Certificate) []Finding {
	var found []Finding
	if len(clients) < 2 {
		return nil
	}
	used := localCertificates(in)
	for _, c := range clients {
		if !isAuthority(c) || invalidAt(in.Now, c) != "" || isIssuer(c, used) || slices.ContainsFunc(used, c.Equal) {
			continue
		}
		found = append(found, warning(in.ClientCA.Path, "has a CA ("+name(c)+") that has signed nothing here, and whose client certificates are accepted",
			"remove it, unless this CA is being rotated")...)
	}
	return found
}

// localCertificates are the certificates in use here: what the kubeconfigs and the
// apiserver show, and what signs.
func localCertificates(in input) []*x509.Certificate {
	all := servingChain(in)
	for _, f := range in.Kubeconfigs {
		if k, problems := loadKubeconfig(in, f); len(problems) == 0 {
			chain, _ := parsePair(k.config.CertData, k.config.KeyData)
			all = append(all, chain...)
		}
	}
	for _, p := range in.ControllerManager.SigningPairs() {
		if cert, _ := signingCertificate(p); cert != nil {
			all = append(all, cert)
		}
	}
	return all
}

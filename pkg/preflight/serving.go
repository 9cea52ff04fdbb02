// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto/x509"
	"fmt"
	"net"

	utilnet "k8s.io/utils/net"
)

// checkServing evaluates what the apiserver shows to its clients. Those on this
// controller trust the CAs of their kubeconfigs; health checks and the commands
// of this program trust those of the clients' certificates, as in the lab.
func checkServing(in input, clients []*x509.Certificate) []Finding {
	chain, found := loadPair(in.Serving)
	if chain == nil {
		return found
	}
	path := in.Serving.Cert.Path
	if problem := invalidAt(in.Now, chain[0]); problem != "" {
		return failure(path, problem, validityFix(in.Now, chain[0]))
	}
	chains, err := verify(chain, pool(clients), x509.ExtKeyUsageServerAuth, in.Now)
	switch {
	case len(clients) == 0: // reported with that file itself
	case err != nil:
		wrong := whyNotVerified(err, chain, clients, in.ClientCA.Path, x509.ExtKeyUsageServerAuth, in.Now)
		found = wrong.finding(Error, path, "")
		if trustedByKubeconfigs(in, chain) {
			found[0].Severity = Warning
			found[0].Problem += ": health checks and khw-controller's own commands will not trust it"
		}
	default:
		found = checkBeside(path, chain, chains)
	}
	return append(found, checkNames(in, chain[0])...)
}

// servingChain returns what the apiserver shows to its clients, or nothing where
// that is reported by checkServing.
func servingChain(in input) []*x509.Certificate {
	chain, _ := loadPair(in.Serving)
	if len(chain) == 0 || invalidAt(in.Now, chain[0]) != "" {
		return nil
	}
	return chain
}

// checkBeside finds certificates in the file of a leaf that are not of its chain.
func checkBeside(path string, shown []*x509.Certificate, chains [][]*x509.Certificate) []Finding {
	var found []Finding
	for i, c := range shown {
		used := false
		for _, chain := range chains {
			for _, d := range chain {
				used = used || c.Equal(d)
			}
		}
		if !used {
			found = append(found, warning(path, fmt.Sprintf("has a certificate (%d of %d, %s) that is not of the chain of its first one", i+1, len(shown), name(c)),
				"remove it from the file")...)
		}
	}
	return found
}

// checkNames looks for the addresses at which other machines, pods and health
// checks reach the apiserver; those of kubeconfigs are checked with them.
func checkNames(in input, cert *x509.Certificate) []Finding {
	var found []Finding
	path := in.Serving.Cert.Path
	if in.AdvertiseAddress != nil && cert.VerifyHostname(in.AdvertiseAddress.String()) != nil {
		found = append(found, warning(path, fmt.Sprintf("does not name the advertised address %s: kubelets and clients on other machines that use it will refuse the connection", in.AdvertiseAddress),
			"sign it again with that address among its hostnames")...)
	}
	if ip := serviceIP(in); ip != nil && cert.VerifyHostname(ip.String()) != nil {
		found = append(found, warning(path, fmt.Sprintf("does not name the service address %s: pods that talk to the apiserver will refuse the connection", ip),
			"sign it again with that address among its hostnames")...)
	}
	host, _, err := net.SplitHostPort(in.APIServerAddress())
	if err == nil && in.Config.HealthzBindAddress != "" && !verifiesName(in, host) && cert.VerifyHostname(host) != nil {
		found = append(found, warning(path, fmt.Sprintf("does not name %s, where health checks reach the apiserver: they will say that it is not healthy", host),
			"sign it again with that address among its hostnames")...)
	}
	return found
}

// serviceIP is the first address of the apiserver's service range.
func serviceIP(in input) net.IP {
	if len(in.ServiceRanges) == 0 {
		return nil
	}
	ranges, err := utilnet.ParseCIDRs(splitList(in.ServiceRanges[0].Value))
	if err != nil || len(ranges) == 0 {
		return nil
	}
	ip, err := utilnet.GetIndexedIP(ranges[0], 1)
	if err != nil {
		return nil
	}
	return ip
}

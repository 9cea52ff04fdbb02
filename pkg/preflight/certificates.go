// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"time"

	utilnet "k8s.io/utils/net"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// checkCertificates evaluates every certificate and key that a flag names.
func checkCertificates(in input) []Finding {
	var found []Finding
	for _, ca := range []plan.File{in.ClientCA, in.EtcdCA, in.KubeletCA, in.RootCA} {
		if ca.Path == "" {
			continue
		}
		_, problems := readCA(in, ca)
		found = append(found, problems...)
	}
	_, problems := checkPair(in, in.Signing)
	found = append(found, problems...)
	server, problems := checkSigned(in, in.Serving, in.ClientCA, x509.ExtKeyUsageServerAuth)
	found = append(found, problems...)
	if server != nil {
		found = append(found, checkNames(in, server)...)
	}
	_, problems = checkSigned(in, in.KubeletClient, in.KubeletCA, x509.ExtKeyUsageClientAuth)
	found = append(found, problems...)
	_, problems = checkSigned(in, in.EtcdClient, in.EtcdCA, x509.ExtKeyUsageClientAuth)
	return dedupe(append(found, problems...))
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

func readCA(in input, ca plan.File) ([]*x509.Certificate, []Finding) {
	certs, err := readCertificates(ca.Path)
	if err != nil {
		return nil, failure(ca.Path, err.Error(), "point "+ca.Flag+" to a CA certificate")
	}
	if !certs[0].IsCA {
		return nil, failure(ca.Path, "is the certificate of "+certs[0].Subject.CommonName+", not of a CA", "point "+ca.Flag+" to a CA certificate")
	}
	return certs, checkValidity(in.Now, ca.Path, certs[0])
}

// checkPair reads a certificate and its key and sees whether they belong
// together. A nil certificate comes with the reason.
func checkPair(in input, p plan.Pair) (*x509.Certificate, []Finding) {
	if p.Cert.Path == "" || p.Key.Path == "" {
		return nil, nil
	}
	certs, err := readCertificates(p.Cert.Path)
	if err != nil {
		return nil, failure(p.Cert.Path, err.Error(), "point "+p.Cert.Flag+" to a certificate")
	}
	key, err := readKey(p.Key.Path)
	if err != nil {
		return nil, failure(p.Key.Path, err.Error(), "point "+p.Key.Flag+" to the key of "+p.Cert.Path)
	}
	if !matches(certs[0].PublicKey, key) {
		return nil, failure(p.Key.Path, "is not the key of the certificate "+p.Cert.Path, "use the two files that were made together")
	}
	return certs[0], checkValidity(in.Now, p.Cert.Path, certs[0])
}

// checkSigned is checkPair for a certificate that has to be signed by ca and
// good for usage.
func checkSigned(in input, p plan.Pair, ca plan.File, usage x509.ExtKeyUsage) (*x509.Certificate, []Finding) {
	cert, found := checkPair(in, p)
	if cert == nil || len(found) > 0 || ca.Path == "" {
		return cert, found
	}
	authorities, err := readCertificates(ca.Path)
	if err != nil {
		return cert, nil // reported with the CA itself
	}
	if !signedBy(cert, authorities) {
		return cert, failure(p.Cert.Path, "is not signed by "+ca.Path, "use a certificate of that CA, or the CA that signed it ("+cert.Issuer.CommonName+")")
	}
	if len(cert.ExtKeyUsage) > 0 && !slices.Contains(cert.ExtKeyUsage, usage) && !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return cert, failure(p.Cert.Path, "is not made for "+usageName(usage), "sign it with a profile that has both server auth and client auth")
	}
	return cert, nil
}

func signedBy(cert *x509.Certificate, authorities []*x509.Certificate) bool {
	return slices.ContainsFunc(authorities, func(ca *x509.Certificate) bool { return cert.CheckSignatureFrom(ca) == nil })
}

func usageName(u x509.ExtKeyUsage) string {
	if u == x509.ExtKeyUsageServerAuth {
		return "servers (server auth)"
	}
	return "clients (client auth)"
}

// dateLayout is how times are shown: long enough to see a wrong clock.
const dateLayout = "2006-01-02 15:04:05 MST"

func checkValidity(now time.Time, path string, cert *x509.Certificate) []Finding {
	switch {
	case now.After(cert.NotAfter):
		return failure(path, "expired on "+cert.NotAfter.Format(dateLayout)+"; this machine's clock says "+now.UTC().Format(dateLayout), "renew it, or set the clock")
	case now.Before(cert.NotBefore):
		return failure(path, "is valid only from "+cert.NotBefore.Format(dateLayout)+"; this machine's clock says "+now.UTC().Format(dateLayout), "set the clock")
	}
	return nil
}

// checkNames looks for the addresses at which the apiserver is reached.
func checkNames(in input, cert *x509.Certificate) []Finding {
	var found []Finding
	path := in.Serving.Cert.Path
	if cert.VerifyHostname("127.0.0.1") != nil {
		found = append(found, failure(path, "does not name 127.0.0.1, where the components on this controller connect",
			"sign it again with 127.0.0.1 among its hostnames")...)
	}
	if in.AdvertiseAddress != nil && cert.VerifyHostname(in.AdvertiseAddress.String()) != nil {
		found = append(found, warning(path, fmt.Sprintf("does not name the advertised address %s: kubelets and clients on other machines that use it will refuse the connection", in.AdvertiseAddress),
			"sign it again with that address among its hostnames")...)
	}
	if ip := serviceIP(in); ip != nil && cert.VerifyHostname(ip.String()) != nil {
		found = append(found, warning(path, fmt.Sprintf("does not name the service address %s: pods that talk to the apiserver will refuse the connection", ip),
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

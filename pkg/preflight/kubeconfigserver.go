// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// checkKubeconfigServer sees whether a component would reach this controller's
// apiserver, if that is where its kubeconfig points. A balancer may be anywhere,
// on this machine too.
func checkKubeconfigServer(in input, k *kubeconfig) []Finding {
	here := "https://" + net.JoinHostPort(firstAddress(in), strconv.Itoa(in.Port))
	ips := addressesOf(k.server.Hostname())
	if k.config.Proxy != nil || !slices.ContainsFunc(ips, func(ip net.IP) bool { return isOwn(in, ip) }) {
		return nil
	}
	port := cmp.Or(k.server.Port(), map[string]string{"https": "443", "http": "80"}[k.server.Scheme])
	switch {
	case port == strconv.Itoa(in.Port) && slices.ContainsFunc(ips, func(ip net.IP) bool { return isServed(in, ip) }):
		if k.server.Scheme != "https" {
			return failure(k.String(), "connects to "+k.server.String()+", and the apiserver serves HTTPS only", "use "+here)
		}
		return nil
	case answers(k.server.Hostname(), port):
		return nil // a balancer
	case port != strconv.Itoa(in.Port):
		return failure(k.String(), fmt.Sprintf("connects to %s, but this controller's apiserver listens on port %d", k.server, in.Port), "use "+here)
	}
	return failure(k.String(), fmt.Sprintf("connects to %s, but this controller's apiserver listens on %s only", k.server, firstAddress(in)),
		"use "+here+", or correct "+plan.ArgFlag(lab.APIServer, "bind-address"))
}

// addressesOf returns the addresses of a host that are known without a question to
// anyone.
func addressesOf(host string) []net.IP {
	if ip := net.ParseIP(host); ip != nil {
		return []net.IP{ip}
	}
	if h := strings.ToLower(strings.TrimSuffix(host, ".")); h == "localhost" || strings.HasSuffix(h, ".localhost") {
		return []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	return nil
}

// isOwn reports whether an address is one of this machine.
func isOwn(in input, ip net.IP) bool {
	if ip.IsLoopback() || ip.Equal(in.AdvertiseAddress) || ip.Equal(in.APIServer.SecureServing.BindAddress) {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(addresses, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}

// isServed reports whether the apiserver will listen on an address of this
// machine. It serves both families where it binds to all addresses of one.
func isServed(in input, ip net.IP) bool {
	bind := in.APIServer.SecureServing.BindAddress
	return bind == nil || bind.IsUnspecified() || bind.Equal(ip)
}

// firstAddress is where a component on this machine reaches the apiserver.
func firstAddress(in input) string {
	host, _, err := net.SplitHostPort(in.APIServerAddress())
	if err != nil {
		return "127.0.0.1"
	}
	return host
}

// answerTimeout is what a connection within this machine may take.
const answerTimeout = time.Second

func answers(host, port string) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), answerTimeout)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// checkKubeconfigTrust sees whether a component would trust this controller's
// apiserver. What is behind a balancer or a proxy may have another certificate.
func checkKubeconfigTrust(in input, k *kubeconfig) []Finding {
	severity := Error
	if !isHere(in, k) {
		severity = Warning
	}
	if k.config.Insecure {
		return warning(k.String(), "skips the verification of the apiserver (insecure-skip-tls-verify)", "make it again with --certificate-authority=ca.pem")
	}
	chain := servingChain(in)
	host := k.name()
	if chain == nil || hasCertificateOfItsOwn(in, host) {
		return nil
	}
	var found []Finding
	if !trusts(in, k, chain) && isTrusted(in, chain) {
		found = append(found, Finding{severity, k.String(), "is for another CA than the one that signed " + in.Serving.Cert.Path, "make it again with --certificate-authority=" + in.ClientCA.Path})
	}
	if chain[0].VerifyHostname(host) != nil {
		found = append(found, Finding{severity, in.Serving.Cert.Path, fmt.Sprintf("does not name %s, where the components on this controller connect", host),
			"sign it again with " + host + " among its hostnames"})
	}
	return found
}

// isHere reports whether a kubeconfig points to this controller's apiserver
// itself.
func isHere(in input, k *kubeconfig) bool {
	return k.config.Proxy == nil && cmp.Or(k.server.Port(), "443") == strconv.Itoa(in.Port) &&
		slices.ContainsFunc(addressesOf(k.server.Hostname()), func(ip net.IP) bool { return isOwn(in, ip) && isServed(in, ip) })
}

// hasCertificateOfItsOwn reports whether the apiserver may show another
// certificate to those that ask for a name.
func hasCertificateOfItsOwn(in input, host string) bool {
	return len(in.APIServer.SecureServing.SNICertKeys) > 0 && net.ParseIP(host) == nil
}

// trusts reports whether a kubeconfig's CAs know a chain.
func trusts(in input, k *kubeconfig, chain []*x509.Certificate) bool {
	var roots *x509.CertPool // nil: the machine's
	if len(k.config.CAData) > 0 {
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM(k.config.CAData)
	}
	_, err := verify(chain, roots, x509.ExtKeyUsageServerAuth, in.Now)
	return err == nil
}

// trustedByKubeconfigs reports whether every component knows a chain.
func trustedByKubeconfigs(in input, chain []*x509.Certificate) bool {
	return !slices.ContainsFunc(in.Kubeconfigs, func(f plan.File) bool {
		k, _ := loadKubeconfig(in, f)
		return k == nil || !k.config.Insecure && !trusts(in, k, chain)
	})
}

// isTrusted reports whether anyone here knows a chain; that nobody does is
// reported with the certificate itself.
func isTrusted(in input, chain []*x509.Certificate) bool {
	_, err := verify(chain, pool(certificatesIn(in.ClientCA.Path)), x509.ExtKeyUsageServerAuth, in.Now)
	return err == nil || slices.ContainsFunc(in.Kubeconfigs, func(f plan.File) bool {
		k, _ := loadKubeconfig(in, f)
		return k != nil && trusts(in, k, chain)
	})
}

// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// replaceCertificate puts another kubernetes.pem in place, a proper one but for
// what change does to it, signed by the CA that is there.
func replaceCertificate(c *harness.Controller, change func(*x509.Certificate)) {
	c.Helper()
	address, err := process.HostAddress()
	c.Must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(4711),
		Subject:      pkix.Name{CommonName: "kubernetes", Organization: []string{"Kubernetes"}},
		NotBefore:    time.Now().Add(-48 * time.Hour),
		NotAfter:     time.Now().Add(48 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{"kubernetes", "kubernetes.default", "localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 32, 0, 1), address},
	}
	change(template)
	ca, err := cert.CertsFromFile(c.Lab("ca.pem"))
	c.Must(err)
	caKey, err := keyutil.PrivateKeyFromFile(c.Lab("ca-key.pem"))
	c.Must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.Must(err)
	der, err := x509.CreateCertificate(rand.Reader, template, ca[0], key.Public(), caKey.(crypto.Signer))
	c.Must(err)
	leaf, err := x509.ParseCertificate(der)
	c.Must(err)
	data, err := cert.EncodeCertificates(leaf)
	c.Must(err)
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	c.Must(err)
	c.Must(os.WriteFile(c.Lab("kubernetes.pem"), data, 0o644))
	c.Must(os.WriteFile(c.Lab("kubernetes-key.pem"), keyPEM, 0o600))
}

// without returns ips without one.
func without(ips []net.IP, ip net.IP) []net.IP {
	var rest []net.IP
	for _, i := range ips {
		if !i.Equal(ip) {
			rest = append(rest, i)
		}
	}
	return rest
}

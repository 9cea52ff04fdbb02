// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// company is a root CA, an intermediate one below it, and one below that.
type company struct{ root, above, signing *Authority }

func newCompany(t *testing.T) company {
	t.Helper()
	now := time.Now()
	root, err := newAuthority(ECDSA, now)
	if err != nil {
		t.Fatal(err)
	}
	below := func(parent *Authority, name string) *Authority {
		key, err := RSA.generate()
		if err != nil {
			t.Fatal(err)
		}
		c, err := parent.sign(key.Public(), &x509.Certificate{
			Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		return &Authority{cert: c, key: key}
	}
	above := below(root, "above")
	return company{root, above, below(above, "signing")}
}

func keyOf(t *testing.T, ca *Authority) []byte {
	t.Helper()
	data, err := keyPEM(ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestIntermediate signs with an intermediate CA: who trusts it, or the root far
// above it, trusts what it signed.
func TestIntermediate(t *testing.T) {
	c := newCompany(t)
	given := certificatesPEM(c.root.cert, c.signing.cert, c.above.cert) // in any order
	ca, err := ParseAuthority(given, keyOf(t, c.signing), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f := FilesIn(t.TempDir())
	s := spec()
	s.Authority = ca
	if err := Generate(f, s); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(f.CA); err != nil || string(data) != string(certificatesPEM(c.signing.cert)) {
		t.Errorf("the cluster trusts\n%s%v", data, err)
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	if len(pair.Certificate) != 3 {
		t.Errorf("%d certificates are shown, want the leaf and two", len(pair.Certificate))
	}
	wantTrusted(t, pair, c.root.cert, c.above.cert, c.signing.cert)
	if pair.Leaf.NotAfter.After(c.signing.cert.NotAfter) {
		t.Errorf("it is good until %s, and its CA until %s", pair.Leaf.NotAfter, c.signing.cert.NotAfter)
	}
	config, err := clientcmd.BuildConfigFromFlags("", f.AdminKubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := tls.X509KeyPair(config.CertData, config.KeyData)
	if err != nil {
		t.Fatal(err)
	}
	wantTrusted(t, client, c.root.cert, c.signing.cert)

	// A bundle that is there is read with what it shows.
	cluster, err := ReadCluster(f)
	if err != nil {
		t.Fatal(err)
	}
	if !cluster.Uses(ca) || len(cluster.authority.issuers) != 2 {
		t.Errorf("it is read as one that shows %d CAs", len(cluster.authority.issuers))
	}
	s.Hosts = append(s.Hosts, "another.example.com")
	changes, err := cluster.Converge(f, s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(changes, func(c Change) bool { return c.Action == Renew && c.Path == f.Cert })
	if i < 0 {
		t.Fatalf("got %v", changes)
	}
	renewed, err := parsePair(changes[i].file.Data, changes[i+1].file.Data)
	if err != nil || len(renewed) != 3 || renewed[0].VerifyHostname("another.example.com") != nil || renewed[0].VerifyHostname("10.240.0.10") != nil {
		t.Errorf("renewed: %d certificates, %v", len(renewed), err)
	}
	if p := renewed[0].PublicKey.(*ecdsa.PublicKey); p.Equal(pair.Leaf.PublicKey) {
		t.Error("the renewed certificate has the old key")
	}
}

// wantTrusted wants who trusts any of the anchors to trust a pair.
func wantTrusted(t *testing.T, p tls.Certificate, anchors ...*x509.Certificate) {
	t.Helper()
	between := x509.NewCertPool()
	for _, der := range p.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		between.AddCert(c)
	}
	for _, anchor := range anchors {
		roots := x509.NewCertPool()
		roots.AddCert(anchor)
		if _, err := p.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			t.Errorf("%s, by who trusts %s: %v", p.Leaf.Subject.CommonName, anchor.Subject.CommonName, err)
		}
	}
}

func TestParseAuthorityRefuses(t *testing.T) {
	c := newCompany(t)
	leaf, err := c.root.leaf(c.above.key, time.Now(), x509.Certificate{Subject: subject("kubernetes", "Kubernetes", leafUnit)})
	if err != nil {
		t.Fatal(err)
	}
	good, key := certificatesPEM(c.root.cert), keyOf(t, c.root)
	for name, test := range map[string]struct {
		cert, key []byte
		at        time.Duration
		says      string
	}{
		"no certificate":   {key, key, 0, "holds no certificate"},
		"nothing":          {nil, nil, 0, "holds no certificate"},
		"no key":           {good, good, 0, "holds no private key"},
		"another key":      {good, keyOf(t, c.above), 0, "belongs to none of its certificates"},
		"an encrypted key": {good, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), 0, "is encrypted"},
		"no CA":            {certificatesPEM(leaf.chain...), keyOf(t, c.above), 0, `"kubernetes" is not a CA`},
		"an expired CA":    {good, key, 6 * caValidity, "has expired"},
		"a CA to come":     {good, key, -time.Hour, "is valid only from"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseAuthority(test.cert, test.key, time.Now().Add(test.at))
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want an error with %q", err, test.says)
			}
		})
	}
}

func TestKeysAreLikeTheOldOnes(t *testing.T) {
	ca, err := newAuthority(ECDSA, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa3072, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	ec, err := ca.leaf(p384, now.Add(-300*24*time.Hour), x509.Certificate{Subject: subject("a", "b", "c"), DNSNames: []string{"x"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	certData, keyData, err := ca.renew(ec.chain, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := parsePair(certData, keyData)
	if err != nil {
		t.Fatal(err)
	}
	old, c := ec.chain[0], chain[0]
	if k, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P384() {
		t.Errorf("P-384 became %T", c.PublicKey)
	}
	if string(c.RawSubject) != string(old.RawSubject) || !slices.Equal(c.DNSNames, old.DNSNames) || len(c.IPAddresses) != 1 ||
		c.KeyUsage != old.KeyUsage || !slices.Equal(c.ExtKeyUsage, old.ExtKeyUsage) {
		t.Errorf("%+v became %+v", old, c)
	}
	if got := c.NotAfter.Sub(c.NotBefore); got != old.NotAfter.Sub(old.NotBefore) || c.NotAfter.Sub(now).Round(time.Hour) != leafValidity {
		t.Errorf("it is good for %s, until %s", got, c.NotAfter)
	}
	p, err := ca.leaf(rsa3072, now, x509.Certificate{Subject: subject("a", "b", "c")})
	if err != nil {
		t.Fatal(err)
	}
	if certData, keyData, err = ca.renew(p.chain, nil, now); err != nil {
		t.Fatal(err)
	}
	if chain, err = parsePair(certData, keyData); err != nil {
		t.Fatal(err)
	}
	if k, ok := chain[0].PublicKey.(*rsa.PublicKey); !ok || k.N.BitLen() != 3072 {
		t.Errorf("RSA with 3072 bits became %T", chain[0].PublicKey)
	}
}

// TestConvergeMakesWhatIsMissing makes a kubeconfig and a certificate again, and
// nothing that would be another.
func TestConvergeMakesWhatIsMissing(t *testing.T) {
	f := generate(t)
	for _, path := range []string{f.Cert, f.Key, f.AdminKubeconfig} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	cluster, err := ReadCluster(f)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := cluster.Converge(f, spec(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, c := range Changed(changes) {
		made = append(made, filepath.Base(c.Path))
	}
	slices.Sort(made)
	if !slices.Equal(made, []string{"admin.kubeconfig", "kubernetes-key.pem", "kubernetes.pem"}) {
		t.Errorf("made: %v", made)
	}
	if err := os.Remove(f.ServiceAccountKey); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCluster(f); err == nil || !strings.Contains(err.Error(), "service-account-key.pem is missing") {
		t.Errorf("got %v", err)
	}
}

// TestRenewalsAreForAsLong wants one that was good for seconds to be good for seconds.
func TestRenewalsAreForAsLong(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	ca, err := newAuthority(ECDSA, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, life := range []time.Duration{8 * time.Second, 4 * time.Minute, time.Hour, 8760 * time.Hour} {
		key, err := ECDSA.generate()
		if err != nil {
			t.Fatal(err)
		}
		old, err := ca.pair(key, x509.Certificate{NotBefore: now.Add(-life), NotAfter: now})
		if err != nil {
			t.Fatal(err)
		}
		renewed, _, notAfter, err := ca.Renew(certificatesPEM(old.chain...), now)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := ParseCertificates(renewed)
		if err != nil {
			t.Fatal(err)
		}
		if got := notAfter.Sub(chain[0].NotBefore).Round(time.Second); got != life || !notAfter.After(now.Add(life/10*8)) {
			t.Errorf("one for %s is renewed for %s, %s from now", life, got, notAfter.Sub(now))
		}
	}
}

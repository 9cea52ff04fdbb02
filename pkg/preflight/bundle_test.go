// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os/exec"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// serveWith puts another certificate and key of the apiserver in place.
func serveWith(t *testing.T, f pki.Files, cert, key []byte) {
	t.Helper()
	put(t, f.Cert, cert)
	put(t, f.Key, key)
}

// TestPEMFilesOfAllKinds puts what people have into the lab's files: check passes
// what the stock components start and connect with, and nothing else.
func TestPEMFilesOfAllKinds(t *testing.T) {
	type files struct {
		pki.Files
		ca   issued // the lab's
		cert []byte // of ca.pem
	}
	for name, test := range map[string]struct {
		put    func(*testing.T, files)
		starts bool
		says   string
	}{
		// ca.pem, which is the clients', etcd's, kubelets', root and signing CA.
		"another CA behind": {func(t *testing.T, f files) {
			put(t, f.CA, f.cert, pemOf(issued{}.issue(t, as("next"))))
		}, true, "ca.pem: has a CA (CN=next) that has signed nothing here"},
		"another CA before": {func(t *testing.T, f files) {
			put(t, f.CA, pemOf(issued{}.issue(t, as("next"))), f.cert)
		}, true, "has a CA (CN=next)"},
		"an expired CA before": {func(t *testing.T, f files) {
			put(t, f.CA, pemOf(issued{}.issue(t, both(as("former"), expired))), f.cert)
		}, true, "ca.pem: certificate 1 of 2 in it (CN=former) expired on…remove it from the file"},
		"an expired CA": {func(t *testing.T, f files) {
			put(t, f.CA, pemOf(issued{}.issueFor(t, f.ca.key, both(as("Kubernetes"), expired))))
		}, false, "ca.pem: expired on…renew it"},
		"a leaf behind the CA": {func(t *testing.T, f files) {
			put(t, f.CA, f.cert, content(t, f.Cert))
		}, true, "certificate 2 of 2 in it (CN=kubernetes) is the certificate of kubernetes, not of a CA"},
		"the text of openssl": {func(t *testing.T, f files) {
			put(t, f.CA, []byte("Certificate:\n    Data:\n        Version: 3 (0x2)\n"), f.cert, []byte("subject=CN = Kubernetes\n"))
		}, true, ""},
		"lines of Windows": {func(t *testing.T, f files) {
			put(t, f.CA, bytes.ReplaceAll(f.cert, []byte("\n"), []byte("\r\n")))
		}, true, ""},
		"no line at the end": {func(t *testing.T, f files) { put(t, f.CA, bytes.TrimSpace(f.cert)) }, true, ""},
		"a byte order mark":  {func(t *testing.T, f files) { put(t, f.CA, []byte("\xef\xbb\xbf"), f.cert) }, false, "ca.pem: begins with a byte order mark…sed -i"},
		"a byte order mark that hides another": {func(t *testing.T, f files) {
			put(t, f.CA, []byte("\xef\xbb\xbf"), pemOf(issued{}.issue(t, as("next"))), f.cert)
		}, true, ""},
		"UTF-16": {func(t *testing.T, f files) {
			put(t, f.CA, []byte("\xff\xfe"), bytes.ReplaceAll(f.cert, []byte(""), []byte("\x00"))[1:])
		}, false, "is text in UTF-16…iconv"},
		"DER":                      {func(t *testing.T, f files) { put(t, f.CA, f.ca.cert.Raw) }, false, "ca.pem: is in DER form…openssl x509 -inform der"},
		"garbage behind":           {func(t *testing.T, f files) { put(t, f.CA, f.cert, []byte("\x00\x01garbage")) }, true, ""},
		"a block behind, cut off":  {func(t *testing.T, f files) { put(t, f.CA, f.cert, f.cert[:len(f.cert)/2]) }, true, ""},
		"a block, cut off":         {func(t *testing.T, f files) { put(t, f.CA, f.cert[:len(f.cert)/2]) }, false, "damaged or cut off"},
		"a damaged one behind":     {func(t *testing.T, f files) { put(t, f.CA, f.cert, block(certificateBlock, []byte("damaged"))) }, false, "ca.pem: holds a damaged certificate"},
		"its key beside it":        {func(t *testing.T, f files) { put(t, f.CA, f.cert, content(t, f.CAKey)) }, false, "ca.pem: …it holds a PEM block \"EC PRIVATE KEY\"…leave only the CA's certificates"},
		"openssl's trusted form":   {func(t *testing.T, f files) { put(t, f.CA, block("TRUSTED CERTIFICATE", f.ca.cert.Raw)) }, false, "holds no certificate but a PEM block \"TRUSTED CERTIFICATE\""},
		"headers":                  {func(t *testing.T, f files) { put(t, f.CA, withHeader(certificateBlock, f.ca.cert.Raw, "a", "b")) }, false, "ca.pem: "},
		"nothing":                  {func(t *testing.T, f files) { put(t, f.CA) }, false, "ca.pem: is empty"},
		"spaces":                   {func(t *testing.T, f files) { put(t, f.CA, []byte(" \n\n")) }, false, "ca.pem: is empty"},
		"a public key":             {func(t *testing.T, f files) { put(t, f.CA, content(t, f.ServiceAccountKey)) }, false, "holds no certificate but a PEM block"},
		"the key of another CA":    {func(t *testing.T, f files) { put(t, f.CAKey, keyPEM(t, issued{}.issue(t, unchanged).key)) }, false, "ca-key.pem: is not the key of the certificate"},
		"an encrypted key of a CA": {func(t *testing.T, f files) { put(t, f.CAKey, block(encryptedKeyBlock, []byte("x"))) }, false, "ca-key.pem: holds an encrypted private key…openssl pkey -in …ca-key.pem -out …ca-key.pem.new"},

		// kubernetes.pem, which the apiserver and etcd serve with, and go to etcd and kubelets with.
		"an intermediate behind the leaf": {func(t *testing.T, f files) {
			middle := f.ca.issue(t, as("middle"))
			leaf := middle.issue(t, unchanged)
			serveWith(t, f.Files, pemOf(leaf, middle), keyPEM(t, leaf.key))
		}, true, ""},
		"two intermediates in another order": {func(t *testing.T, f files) {
			high := f.ca.issue(t, as("high"))
			low := high.issue(t, as("low"))
			leaf := low.issue(t, unchanged)
			serveWith(t, f.Files, pemOf(leaf, high, low), keyPEM(t, leaf.key))
		}, true, ""},
		"without its intermediate": {func(t *testing.T, f files) {
			leaf := f.ca.issue(t, as("middle")).issue(t, unchanged)
			serveWith(t, f.Files, pemOf(leaf), keyPEM(t, leaf.key))
		}, false, "kubernetes.pem: is not signed by…ca.pem…(middle); an intermediate CA's certificate belongs into the file"},
		"the leaf last": {func(t *testing.T, f files) {
			middle := f.ca.issue(t, as("middle"))
			leaf := middle.issue(t, unchanged)
			serveWith(t, f.Files, pemOf(middle, leaf), keyPEM(t, leaf.key))
		}, false, "kubernetes-key.pem: is the key of certificate 2 in…put that certificate first"},
		"an expired intermediate": {func(t *testing.T, f files) {
			middle := f.ca.issue(t, both(as("middle"), expired))
			leaf := middle.issue(t, unchanged)
			serveWith(t, f.Files, pemOf(leaf, middle), keyPEM(t, leaf.key))
		}, false, "kubernetes.pem: is signed by CN=middle, whose own certificate expired on"},
		"an expired intermediate beside a renewed one": {func(t *testing.T, f files) {
			old := f.ca.issue(t, both(as("middle"), expired))
			renewed := f.ca.issueFor(t, old.key, as("middle"))
			leaf := renewed.issue(t, unchanged)
			serveWith(t, f.Files, pemOf(leaf, old, renewed), keyPEM(t, leaf.key))
		}, true, "kubernetes.pem: has a certificate (2 of 3, CN=middle) that is not of the chain"},
		"the root behind the leaf": {func(t *testing.T, f files) {
			leaf := f.ca.issue(t, unchanged)
			serveWith(t, f.Files, pemOf(leaf, f.ca), keyPEM(t, leaf.key))
		}, true, ""},
		"a foreign one behind the leaf": {func(t *testing.T, f files) {
			leaf := f.ca.issue(t, unchanged)
			serveWith(t, f.Files, pemOf(leaf, issued{}.issue(t, as("foreign"))), keyPEM(t, leaf.key))
		}, true, "(2 of 2, CN=foreign)"},
		"a damaged one behind the leaf": {func(t *testing.T, f files) {
			put(t, f.Cert, content(t, f.Cert), block(certificateBlock, []byte("damaged")))
		}, false, "kubernetes.pem: holds a damaged certificate"},
		"an expired leaf": {func(t *testing.T, f files) {
			leaf := f.ca.issue(t, expired)
			serveWith(t, f.Files, pemOf(leaf), keyPEM(t, leaf.key))
		}, false, "kubernetes.pem: expired on"},
		"a leaf for clients only": {func(t *testing.T, f files) {
			leaf := f.ca.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
			serveWith(t, f.Files, pemOf(leaf), keyPEM(t, leaf.key))
		}, false, "kubernetes.pem: is not made for servers"},
		"a leaf for nothing in particular": {func(t *testing.T, f files) {
			leaf := f.ca.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = nil })
			serveWith(t, f.Files, pemOf(leaf), keyPEM(t, leaf.key))
		}, true, ""},
		"a leaf of the localhost only": {func(t *testing.T, f files) {
			leaf := f.ca.issue(t, func(c *x509.Certificate) { c.IPAddresses = nil })
			serveWith(t, f.Files, pemOf(leaf), keyPEM(t, leaf.key))
		}, false, "kubernetes.pem: does not name 127.0.0.1, where the components"},
		"a leaf with a common name only": {func(t *testing.T, f files) {
			leaf := f.ca.issue(t, func(c *x509.Certificate) { c.Subject.CommonName, c.IPAddresses, c.DNSNames = "127.0.0.1", nil, nil })
			serveWith(t, f.Files, pemOf(leaf), keyPEM(t, leaf.key))
		}, false, "kubernetes.pem: does not name 127.0.0.1"},
		"RSA in PKCS#1": {func(t *testing.T, f files) {
			leaf := f.ca.issueFor(t, rsaKey(t), unchanged)
			serveWith(t, f.Files, pemOf(leaf), keyPEM(t, leaf.key))
		}, true, ""},
		"RSA in PKCS#8": {func(t *testing.T, f files) {
			leaf := f.ca.issueFor(t, rsaKey(t), unchanged)
			serveWith(t, f.Files, pemOf(leaf), block("PRIVATE KEY", pkcs8(t, leaf.key)))
		}, true, ""},
		"ECDSA in PKCS#8": {func(t *testing.T, f files) {
			leaf := f.ca.issue(t, unchanged)
			serveWith(t, f.Files, pemOf(leaf), block("PRIVATE KEY", pkcs8(t, leaf.key)))
		}, true, ""},
		"Ed25519": {func(t *testing.T, f files) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			leaf := f.ca.issueFor(t, key, unchanged)
			serveWith(t, f.Files, pemOf(leaf), block("PRIVATE KEY", pkcs8(t, key)))
		}, true, ""},
		"EC PARAMETERS before the key": {func(t *testing.T, f files) {
			put(t, f.Key, []byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), content(t, f.Key))
		}, true, ""},
		"another key behind the key": {func(t *testing.T, f files) {
			put(t, f.Key, content(t, f.Key), content(t, f.CAKey))
		}, true, ""},
		"another key before the key": {func(t *testing.T, f files) {
			put(t, f.Key, content(t, f.CAKey), content(t, f.Key))
		}, false, "kubernetes-key.pem: is not the key of"},
		"certificate and key in one": {func(t *testing.T, f files) {
			one := append(content(t, f.Cert), content(t, f.Key)...)
			serveWith(t, f.Files, one, one)
		}, true, ""},
		"a key in DER": {func(t *testing.T, f files) {
			leaf := f.ca.issue(t, unchanged)
			serveWith(t, f.Files, pemOf(leaf), pkcs8(t, leaf.key))
		}, false, "kubernetes-key.pem: is in DER form"},
		"a key encrypted by openssl": {func(t *testing.T, f files) {
			put(t, f.Key, opensslOut(t, "pkcs8", "-topk8", "-in", f.Key, "-passout", "pass:secret"))
		}, false, "kubernetes-key.pem: holds an encrypted private key"},
		"a key encrypted by an old openssl": {func(t *testing.T, f files) {
			put(t, f.Key, withHeader("EC PRIVATE KEY", []byte("x"), "Proc-Type", "4,ENCRYPTED", "DEK-Info", "AES-256-CBC,00"))
		}, false, "kubernetes-key.pem: holds an encrypted private key"},
		"a damaged key": {func(t *testing.T, f files) {
			put(t, f.Key, block("EC PRIVATE KEY", []byte("damaged")))
		}, false, "kubernetes-key.pem: holds a damaged or unknown private key"},
		"a key of OpenSSH": {func(t *testing.T, f files) {
			put(t, f.Key, block("OPENSSH PRIVATE KEY", []byte("openssh-key-v1")))
		}, false, "kubernetes-key.pem: holds a damaged or unknown private key in its PEM block \"OPENSSH PRIVATE KEY\""},

		// service-account.pem and its key.
		"a public key for the service accounts": {func(t *testing.T, f files) {
			der, err := x509.MarshalPKIXPublicKey(certificatesIn(f.ServiceAccount)[0].PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			put(t, f.ServiceAccount, block("PUBLIC KEY", der))
		}, true, ""},
		"two keys in one file": {func(t *testing.T, f files) {
			put(t, f.ServiceAccount, pemOf(issued{}.issue(t, unchanged)), content(t, f.ServiceAccount))
		}, true, ""},
		"the private key for the public one": {func(t *testing.T, f files) { put(t, f.ServiceAccount, content(t, f.ServiceAccountKey)) }, true, ""},
		"no key for the service accounts":    {func(t *testing.T, f files) { put(t, f.ServiceAccount, []byte("hello")) }, false, "service-account.pem (--kube-apiserver-arg service-account-key-file): is not a PEM file"},
		"an Ed25519 key for tokens": {func(t *testing.T, f files) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			put(t, f.ServiceAccountKey, block("PRIVATE KEY", pkcs8(t, key)))
		}, false, "service-account-key.pem (--kube-apiserver-arg service-account-signing-key-file): holds a key of a kind that cannot sign tokens"},
		"an expired certificate for tokens": {func(t *testing.T, f files) {
			sa := f.ca.issue(t, expired)
			put(t, f.ServiceAccount, pemOf(sa))
			put(t, f.ServiceAccountKey, keyPEM(t, sa.key))
		}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in, f := sound(t)
			test.put(t, files{f, labCA(t, f), content(t, f.CA)})
			mustAgree(t, in, test.starts, test.says)
		})
	}
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func withHeader(kind string, der []byte, headers ...string) []byte {
	b := &pem.Block{Type: kind, Bytes: der, Headers: map[string]string{}}
	for i := 0; i < len(headers); i += 2 {
		b.Headers[headers[i]] = headers[i+1]
	}
	return pem.EncodeToMemory(b)
}

// opensslOut is what openssl prints; without it there is a stored answer of its
// form.
func opensslOut(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "openssl", args...).Output()
	if err != nil {
		return block(encryptedKeyBlock, []byte("as of openssl"))
	}
	return out
}

// TestFilesOfOneFlagOnly gives single flags another file than the lab's.
func TestFilesOfOneFlagOnly(t *testing.T) {
	for name, test := range map[string]struct {
		put    func(*testing.T, *input, pki.Files)
		starts bool
		says   string
	}{
		"a damaged one beside the kubelets' CA": {func(t *testing.T, in *input, f pki.Files) {
			in.KubeletCA.Path = f.CA + ".kubelet"
			put(t, in.KubeletCA.Path, content(t, f.CA), block(certificateBlock, []byte("damaged")))
		}, true, "ca.pem.kubelet: holds a damaged certificate…remove what is damaged"},
		"no CA of kubelets": {func(_ *testing.T, in *input, f pki.Files) { in.KubeletCA.Path = f.Key }, false, "holds no certificate but"},
		"a kubelet's own certificate as the CA": {func(_ *testing.T, in *input, f pki.Files) { in.KubeletCA.Path = f.Cert },
			true, "not of a CA; point --kube-apiserver-arg kubelet-certificate-authority"},
		"kubelets trust another CA": {func(t *testing.T, in *input, _ pki.Files) {
			other := generated(t)
			in.KubeletClient.Cert.Path, in.KubeletClient.Key.Path = other.Cert, other.Key
		}, true, "is not signed by"},
		"another key for kubelets": {func(_ *testing.T, in *input, f pki.Files) { in.KubeletClient.Key.Path = f.CAKey }, true, "ca-key.pem: is not the key of"},
		"no key for kubelets":      {func(_ *testing.T, in *input, _ pki.Files) { in.KubeletClient.Key.Path += ".gone" }, false, "cannot be read…kubelet-client-key"},
		"a root of pods that expired": {func(t *testing.T, in *input, f pki.Files) {
			in.RootCA.Path = f.CA + ".root"
			put(t, in.RootCA.Path, pemOf(issued{}.issue(t, both(as("former"), expired))))
		}, true, "ca.pem.root: expired on"},
		"etcd trusts another CA": {func(t *testing.T, in *input, _ pki.Files) {
			in.Etcd.ClientTLSInfo.TrustedCAFile = generated(t).CA
		}, false, "kubernetes.pem: is not signed by"},
		"another CA of etcd": {func(t *testing.T, in *input, _ pki.Files) {
			in.EtcdCA.Path = generated(t).CA
			in.EtcdAccess.CAFile = in.EtcdCA.Path
		}, false, "kubernetes.pem: is not signed by"},
		"etcd serves with another name": {func(t *testing.T, in *input, f pki.Files) {
			leaf := labCA(t, f).issue(t, func(c *x509.Certificate) { c.IPAddresses = nil })
			in.Etcd.ClientTLSInfo.CertFile, in.Etcd.ClientTLSInfo.KeyFile = f.Cert+".etcd", f.Key+".etcd"
			put(t, in.Etcd.ClientTLSInfo.CertFile, pemOf(leaf))
			put(t, in.Etcd.ClientTLSInfo.KeyFile, keyPEM(t, leaf.key))
		}, false, "kubernetes.pem.etcd: does not name 127.0.0.1, where the apiserver reaches etcd"},
		"another key of the controller-manager for tokens": {func(t *testing.T, in *input, _ pki.Files) {
			in.ControllerTokenKey.Path = generated(t).ServiceAccountKey
		}, true, "(--kube-controller-manager-arg service-account-private-key-file): is not the key of"},
		"a key being rotated": {func(t *testing.T, in *input, _ pki.Files) {
			in.ServiceAccountKeys = append([]plan.File{{Path: generated(t).ServiceAccount}}, in.ServiceAccountKeys...)
		}, true, ""},
		"a serving certificate of another CA that the kubeconfigs trust": {func(t *testing.T, in *input, f pki.Files) {
			public := issued{}.issue(t, as("public"))
			leaf := public.issue(t, unchanged)
			in.Serving.Cert.Path, in.Serving.Key.Path = f.Cert+".public", f.Key+".public"
			put(t, in.Serving.Cert.Path, pemOf(leaf))
			put(t, in.Serving.Key.Path, keyPEM(t, leaf.key))
			trustOnly(t, f, pemOf(public))
		}, true, "kubernetes.pem.public: is not signed by…health checks and khw-controller's own commands will not trust it"},
	} {
		t.Run(name, func(t *testing.T) {
			in, f := sound(t)
			test.put(t, &in, f)
			mustAgree(t, in, test.starts, test.says)
		})
	}
}

func FuzzCertificates(f *testing.F) {
	in := pki.FilesIn(f.TempDir() + "/lab")
	if err := pki.Generate(in, pki.Spec{AdvertiseAddress: []byte{192, 0, 2, 1}, ServiceIP: []byte{10, 32, 0, 1}, ServerPort: 6443}); err != nil {
		f.Fatal(err)
	}
	for _, path := range []string{in.CA, in.CAKey, in.Cert, in.EncryptionConfig} {
		data, _ := readFile(path)
		f.Add(data)
		f.Add(append([]byte("\xef\xbb\xbf"), data...))
		f.Add(data[:len(data)/2])
	}
	f.Add(withHeader("EC PRIVATE KEY", []byte("x"), "Proc-Type", "4,ENCRYPTED"))
	key, _ := readFile(in.CAKey)
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, damaged := parseCertificates(data)
		if (everyCertificate(data) == nil) != (damaged == nil && len(certs) > 0) {
			t.Errorf("stock: %v; here: %d certificates, %v", everyCertificate(data), len(certs), damaged)
		}
		if (anyCertificate(data) == nil) != (len(certs) > 0) {
			t.Errorf("stock: %v; here: %d certificates", anyCertificate(data), len(certs))
		}
		_, wrong := parseKey(data)
		for _, fault := range []*fault{damaged, wrong} {
			if fault != nil && (fault.problem == "" || strings.Contains(fault.problem, "\n")) {
				t.Errorf("%q is not one line", fault.problem)
			}
		}
		if chain, wrong := parsePair(data, key); (len(chain) > 0) == (wrong != nil) {
			t.Errorf("a chain of %d and %+v", len(chain), wrong)
		}
	})
}

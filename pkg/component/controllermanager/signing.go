// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
	genericcontrollermanager "k8s.io/controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/names"
	signerconfig "k8s.io/kubernetes/pkg/controller/certificates/signer/config"
)

// SigningPair is a CA that signs what a CertificateSigningRequest asks for, and
// the flags that name its files.
type SigningPair struct {
	CertFlag, KeyFlag string
	CertFile, KeyFile string
}

// SigningPairs lists the CAs that will sign. There is none when the controller
// that signs is off.
func (o *Options) SigningPairs() []SigningPair {
	signing := names.CertificateSigningRequestSigningController
	if !genericcontrollermanager.IsControllerEnabled(signing, sets.NewString(app.ControllersDisabledByDefault()...), o.enabledControllers()) {
		return nil
	}
	var all []SigningPair
	for _, f := range signingFiles(o.CSRSigningController.CSRSigningControllerConfiguration) {
		if *f.cert != "" && *f.key != "" {
			all = append(all, SigningPair{f.flag + "-cert-file", f.flag + "-key-file", *f.cert, *f.key})
		}
	}
	return all
}

// enabledControllers is --controllers with the aliases replaced, as Config does
// it.
func (o *Options) enabledControllers() []string {
	aliases := app.ControllerAliases()
	var all []string
	for _, name := range o.Generic.Controllers {
		name, off := strings.CutPrefix(name, "-")
		name = cmp.Or(aliases[name], name)
		if off {
			name = "-" + name
		}
		all = append(all, name)
	}
	return all
}

// signingFile is where a configuration has the files of one signing CA.
type signingFile struct {
	flag      string // without -cert-file and -key-file
	cert, key *string
}

func signingFiles(c *signerconfig.CSRSigningControllerConfiguration) []signingFile {
	of := func(signer string, c *signerconfig.CSRSigningConfiguration) signingFile {
		return signingFile{"cluster-signing-" + signer, &c.CertFile, &c.KeyFile}
	}
	return []signingFile{
		{"cluster-signing", &c.ClusterSigningCertFile, &c.ClusterSigningKeyFile},
		of("kubelet-serving", &c.KubeletServingSignerConfiguration),
		of("kubelet-client", &c.KubeletClientSignerConfiguration),
		of("kube-apiserver-client", &c.KubeAPIServerClientSignerConfiguration),
		of("legacy-unknown", &c.LegacyUnknownSignerConfiguration),
	}
}

// ErrNotTheKey is the error of a key that belongs to none of the certificates.
var ErrNotTheKey = errors.New("the key belongs to none of the certificates")

// SigningCertificate returns the certificate of a PEM bundle that a PEM key
// belongs to: while a CA is rotated by hand, the bundle has the next one too. Of
// several, which a CA that was renewed with its key has, it returns the one that
// is valid longest. Its error tells what is wrong, or is ErrNotTheKey.
func SigningCertificate(bundle, key []byte) (*x509.Certificate, error) {
	certs, err := certutil.ParseCertsPEM(bundle)
	if err != nil {
		return nil, err
	}
	private, err := keyutil.ParsePrivateKeyPEM(key)
	if err != nil {
		return nil, err
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	certs = slices.DeleteFunc(certs, func(c *x509.Certificate) bool {
		public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
		return !ok || !public.Equal(c.PublicKey)
	})
	if len(certs) == 0 {
		return nil, ErrNotTheKey
	}
	return slices.MaxFunc(certs, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }), nil
}

// readSigner returns one PEM document with the certificate that signs, and its
// key.
func readSigner(certFile, keyFile string) ([]byte, error) {
	bundle, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	cert, err := SigningCertificate(bundle, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", certFile, keyFile, err)
	}
	document, err := certutil.EncodeCertificates(cert)
	return append(document, key...), err
}

// SPDX-License-Identifier: Apache-2.0

package trio

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"time"
)

// ExpireIn gives n, which runs or does not, a certificate that is as the one that it has
// and is good for so long.
func (n *Node) ExpireIn(left time.Duration) {
	n.Helper()
	parse := func(name string) []byte {
		data, err := os.ReadFile(n.Lab(name))
		n.Must(err)
		block, _ := pem.Decode(data)
		return block.Bytes
	}
	certificate, err := x509.ParseCertificate(parse("kubernetes.pem"))
	n.Must(err)
	authority, err := x509.ParseCertificate(parse("ca.pem"))
	n.Must(err)
	key, err := x509.ParsePKCS1PrivateKey(parse("ca-key.pem"))
	n.Must(err)
	certificate.NotBefore = time.Now().AddDate(-1, 0, 0) // a renewal is for as long
	certificate.NotAfter = time.Now().Add(left)
	signed, err := x509.CreateCertificate(nil, certificate, authority, certificate.PublicKey, key)
	n.Must(err)
	half := n.Lab("kubernetes.pem") + ".new"
	n.Must(os.WriteFile(half, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o644))
	n.Must(os.Rename(half, n.Lab("kubernetes.pem")))
}

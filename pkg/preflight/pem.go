// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// fault is what is wrong with a file, in words that follow its name.
type fault struct {
	problem string
	fix     string // "" where only the flag is wrong; thisFile stands for the path
}

// thisFile stands for the path of a file in what is said about its content.
const thisFile = "THIS-FILE"

// finding returns the fault as a finding about a file; fix is for a fault without
// one of its own.
func (f *fault) finding(s Severity, path, fix string) []Finding {
	if f.fix != "" {
		fix = f.fix
	}
	return []Finding{{s, path, f.problem, strings.ReplaceAll(fix, thisFile, path)}}
}

// findingOf is finding for a file whose flag is to be named too.
func (f *fault) findingOf(file plan.File, fix string) []Finding {
	found := f.finding(Error, file.Path, fix)
	found[0].Subject = file.String()
	return found
}

func readFile(path string) ([]byte, *fault) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &fault{problem: "cannot be read: " + reason(err)}
	}
	return data, nil
}

// What a PEM block of each kind is called.
const (
	certificateBlock  = "CERTIFICATE"
	encryptedKeyBlock = "ENCRYPTED PRIVATE KEY"
	keyBlockSuffix    = "PRIVATE KEY"
)

// blocks returns the PEM blocks in a file. Everything between them is skipped, as
// every reader of PEM does.
func blocks(data []byte) []*pem.Block {
	var all []*pem.Block
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return all
		}
		all = append(all, block)
	}
}

// parseCertificates returns the certificates in a file that can be read, and why
// the first other one cannot.
func parseCertificates(data []byte) ([]*x509.Certificate, *fault) {
	var certs []*x509.Certificate
	var damaged *fault
	for _, b := range blocks(data) {
		if b.Type != certificateBlock || len(b.Headers) > 0 {
			continue
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil && damaged == nil {
			damaged = &fault{problem: "holds a damaged certificate: " + oneLine(err.Error())}
		}
		if err == nil {
			certs = append(certs, cert)
		}
	}
	if len(certs) == 0 && damaged == nil {
		damaged = noPEM(data, "certificate")
	}
	return certs, damaged
}

// noPEM tells why a file holds none of what is wanted of it: a certificate or a
// private key.
func noPEM(data []byte, wanted string) *fault {
	all := blocks(data)
	for _, b := range all {
		if b.Type == encryptedKeyBlock || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") {
			return &fault{"holds an encrypted private key, and nobody is asked for its passphrase at a start",
				"decrypt it: openssl pkey -in " + thisFile + " -out " + thisFile + ".new"}
		}
	}
	for _, b := range all {
		switch {
		case b.Type == certificateBlock && wanted != "certificate":
			return &fault{problem: "holds a certificate, not a private key"}
		case b.Type != certificateBlock && b.Type != "EC PARAMETERS":
			return &fault{problem: fmt.Sprintf("holds no %s but a PEM block %q", wanted, b.Type)}
		}
	}
	return notPEM(data)
}

// notPEM tells what a file without PEM blocks is.
func notPEM(data []byte) *fault {
	toPEM := "convert it: openssl x509 -inform der -in " + thisFile + " -out " + thisFile + ".pem; with pkey for x509 if it is a key"
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return &fault{problem: "is empty"}
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return &fault{"begins with a byte order mark, which hides the PEM block behind it", "remove it: sed -i '1s/^\\xEF\\xBB\\xBF//' " + thisFile}
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return &fault{"is text in UTF-16, not a PEM file", "convert it: iconv -f utf-16 -t ascii -o " + thisFile + ".pem " + thisFile}
	case isDER(data):
		return &fault{"is in DER form, not a PEM file", toPEM}
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return &fault{problem: "holds a PEM block that is damaged or cut off"}
	case !utf8.Valid(data):
		return &fault{problem: "is binary, not a PEM file"}
	}
	return &fault{problem: "is not a PEM file"}
}

func isDER(data []byte) bool {
	if _, err := x509.ParseCertificates(data); err == nil {
		return true
	}
	for _, parse := range []func([]byte) error{
		func(d []byte) error { _, err := x509.ParsePKCS8PrivateKey(d); return err },
		func(d []byte) error { _, err := x509.ParsePKCS1PrivateKey(d); return err },
		func(d []byte) error { _, err := x509.ParseECPrivateKey(d); return err },
		func(d []byte) error { _, err := x509.ParsePKIXPublicKey(d); return err },
	} {
		if parse(data) == nil {
			return true
		}
	}
	return false
}

// matches reports whether key belongs to the public key.
func matches(public crypto.PublicKey, key crypto.Signer) bool {
	p, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && p.Equal(public)
}

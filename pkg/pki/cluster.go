// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/util/cert"
	utilnet "k8s.io/utils/net"
)

// Cluster is what every controller of a cluster has to have the same: the CA that
// signs for kubelets, the keys of service account tokens, and the key that secrets
// are encrypted with.
type Cluster struct {
	authority *Authority

	ca, caKey                         []byte
	serviceAccount, serviceAccountKey []byte
	encryptionConfig                  []byte
}

// NewCluster makes what a new cluster has in common; without an authority, that
// too.
func NewCluster(ca *Authority, a KeyAlgorithm, now time.Time) (*Cluster, error) {
	var err error
	if ca == nil {
		if ca, err = newAuthority(a, now); err != nil {
			return nil, err
		}
	}
	c := &Cluster{authority: ca, ca: ca.trusted}
	if c.caKey, err = keyPEM(ca.key); err != nil {
		return nil, err
	}
	var out output
	c.serviceAccount, c.serviceAccountKey = out.pair(ca, a, now, x509.Certificate{Subject: subject("service-accounts", "Kubernetes", leafUnit)})
	if out.err != nil {
		return nil, out.err
	}
	c.encryptionConfig, err = newEncryptionConfig()
	return c, err
}

// ReadCluster reads what the controllers of a cluster have in common from the files
// of one of them. Where one of those is missing, it is an error that names all
// that are: nothing could be made in their place.
func ReadCluster(f Files) (*Cluster, error) {
	c := &Cluster{}
	var missing []string
	for path, into := range c.files(f) {
		data, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, path)
		case err != nil:
			return nil, err
		}
		*into = data
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s missing, while other files of this cluster are there: put what was made with those back, or begin in an empty directory", list(missing))
	}
	ca, certs, err := parseAuthority(c.ca, c.caKey)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.CA, err)
	}
	if data, err := os.ReadFile(f.Cert); err == nil {
		if beside, err := cert.ParseCertsPEM(data); err == nil {
			certs = append(certs, beside...)
		}
	}
	ca.findIssuers(certs)
	ca.trusted = c.ca
	c.authority = ca
	return c, nil
}

// Uses reports whether an authority is the one that signs for the cluster.
func (c *Cluster) Uses(ca *Authority) bool { return c.authority.cert.Equal(ca.cert) }

// Same reports whether two clusters are one.
func (c *Cluster) Same(other *Cluster) bool {
	return c.Uses(other.authority) && bytes.Equal(c.serviceAccountKey, other.serviceAccountKey) && bytes.Equal(c.encryptionConfig, other.encryptionConfig)
}

// files are where each part of the cluster is in f, which may do without some.
func (c *Cluster) files(f Files) map[string]*[]byte {
	all := map[string]*[]byte{
		f.CA: &c.ca, f.CAKey: &c.caKey,
		f.ServiceAccount: &c.serviceAccount, f.ServiceAccountKey: &c.serviceAccountKey,
		f.EncryptionConfig: &c.encryptionConfig,
	}
	delete(all, "")
	return all
}

// Hosts returns the names and addresses in a certificate; none where it is not
// there.
func Hosts(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	certs, err := cert.ParseCertsPEM(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	hosts := certs[0].DNSNames
	for _, ip := range certs[0].IPAddresses {
		hosts = append(hosts, ip.String())
	}
	return hosts, nil
}

// ServiceIP is the address at which pods reach the apiserver: the first one of the
// first of the service ranges.
func ServiceIP(ranges string) (net.IP, error) {
	first, _, _ := strings.Cut(ranges, ",")
	cidr, err := utilnet.ParseCIDRs([]string{first})
	if err != nil {
		return nil, fmt.Errorf("--service-cluster-ip-range: %w", err)
	}
	return utilnet.GetIndexedIP(cidr[0], 1)
}

// encryptionTemplate is lab chapter 06's file in its form since Kubernetes v1.13.
const encryptionTemplate = `kind: EncryptionConfiguration
apiVersion: apiserver.config.k8s.io/v1
resources:
  - resources:
      - secrets
    providers:
      - aescbc:
          keys:
            - name: key1
              secret: KEY
      - identity: {}
`

func newEncryptionConfig() ([]byte, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("making an encryption key: %w", err)
	}
	return []byte(strings.Replace(encryptionTemplate, "KEY", base64.StdEncoding.EncodeToString(key), 1)), nil
}

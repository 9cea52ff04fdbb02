// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Spec says whom the certificates are for.
type Spec struct {
	// AdvertiseAddress is where the apiserver is reached from other machines.
	AdvertiseAddress net.IP
	// ServiceIP is the first address of the service range, at which pods reach
	// the apiserver: 10.32.0.1 in the lab.
	ServiceIP net.IP
	// ServerHost and ServerPort are where the apiserver is reached from its own
	// machine, for the kubeconfigs; without a host it is 127.0.0.1, as in the lab.
	ServerHost string
	ServerPort int
}

const (
	clusterName = "kubernetes-the-hard-way" // as in lab chapter 05
	serverCN    = "kubernetes"              // the user whom the kubelet RBAC binds
)

// serverNames are the names that pods and people call the apiserver by.
var serverNames = []string{
	"kubernetes", "kubernetes.default", "kubernetes.default.svc",
	"kubernetes.default.svc.cluster", "kubernetes.default.svc.cluster.local", "localhost",
}

// Generate makes every file of f. On any error, such as a file that exists or a
// full disk, nothing of it is left behind.
func Generate(f Files, spec Spec) error {
	now := time.Now()
	ca, err := newAuthority(now)
	if err != nil {
		return err
	}
	var out output
	out.pair(f.CA, f.CAKey, ca)

	names := serverNames
	if host, err := os.Hostname(); err == nil {
		names = append(names[:len(names):len(names)], host)
	}
	addresses := []net.IP{spec.ServiceIP, spec.AdvertiseAddress, net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	host := cmp.Or(spec.ServerHost, "127.0.0.1")
	if ip := net.ParseIP(host); ip != nil && !slices.ContainsFunc(addresses, ip.Equal) {
		addresses = append(addresses, ip)
	}
	out.leaf(ca, f.Cert, f.Key, now, x509.Certificate{
		Subject:     subject(serverCN, "Kubernetes", leafUnit),
		DNSNames:    names,
		IPAddresses: addresses,
	})
	out.leaf(ca, f.ServiceAccount, f.ServiceAccountKey, now, x509.Certificate{
		Subject: subject("service-accounts", "Kubernetes", leafUnit),
	})
	server := "https://" + net.JoinHostPort(host, strconv.Itoa(spec.ServerPort))
	out.kubeconfig(ca, f.ControllerManagerKubeconfig, now, server, "system:kube-controller-manager", "system:kube-controller-manager")
	out.kubeconfig(ca, f.SchedulerKubeconfig, now, server, "system:kube-scheduler", "system:kube-scheduler")
	out.kubeconfig(ca, f.AdminKubeconfig, now, server, "admin", "system:masters")
	out.encryptionConfig(f.EncryptionConfig)
	if out.err != nil {
		return out.err
	}
	return writeAll(out.files)
}

// output collects the files to write, up to the first error.
type output struct {
	files []file
	err   error
}

func (o *output) add(path string, mode os.FileMode, data []byte) {
	if path != "" {
		o.files = append(o.files, file{path, mode, data})
	}
}

func (o *output) pair(certPath, keyPath string, p *pair) {
	key, err := p.keyPEM()
	if err != nil {
		o.err = err
		return
	}
	o.add(certPath, 0o644, p.certPEM())
	o.add(keyPath, 0o600, key)
}

func (o *output) leaf(ca *pair, certPath, keyPath string, now time.Time, template x509.Certificate) {
	if o.err != nil {
		return
	}
	p, err := ca.leaf(now, template)
	if err != nil {
		o.err = err
		return
	}
	o.pair(certPath, keyPath, p)
}

// kubeconfig makes a client certificate and puts it, its key and the CA into a
// kubeconfig, as lab chapter 05 does with --embed-certs=true.
func (o *output) kubeconfig(ca *pair, path string, now time.Time, server, user, group string) {
	if o.err != nil {
		return
	}
	client, err := ca.leaf(now, x509.Certificate{Subject: subject(user, group, leafUnit)})
	if err != nil {
		o.err = err
		return
	}
	key, err := client.keyPEM()
	if err != nil {
		o.err = err
		return
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[clusterName] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca.certPEM()}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: client.certPEM(), ClientKeyData: key}
	config.Contexts["default"] = &clientcmdapi.Context{Cluster: clusterName, AuthInfo: user}
	config.CurrentContext = "default"
	data, err := clientcmd.Write(*config)
	if err != nil {
		o.err = fmt.Errorf("writing the kubeconfig of %s: %w", user, err)
		return
	}
	o.add(path, 0o600, data)
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

func (o *output) encryptionConfig(path string) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		o.err = fmt.Errorf("making an encryption key: %w", err)
		return
	}
	o.add(path, 0o600, []byte(strings.Replace(encryptionTemplate, "KEY", base64.StdEncoding.EncodeToString(key), 1)))
}

// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
)

// output collects the files to make, up to the first error.
type output struct {
	files []atomicfiles.File
	err   error
}

func (o *output) add(path string, mode os.FileMode, data []byte) {
	if path != "" {
		o.files = append(o.files, atomicfiles.File{Path: path, Mode: mode, Data: data})
	}
}

// The files that a key, and what else is of use to a stranger, may be in, and all
// others.
const (
	private os.FileMode = 0o600
	public  os.FileMode = 0o644
)

// shared adds what is the same on every controller.
func (o *output) shared(f Files, c *Cluster) {
	o.add(f.CA, public, c.ca)
	o.add(f.CAKey, private, c.caKey)
	o.add(f.ServiceAccount, public, c.serviceAccount)
	o.add(f.ServiceAccountKey, private, c.serviceAccountKey)
	o.add(f.EncryptionConfig, private, c.encryptionConfig)
}

// controller adds what a controller can have for itself.
func (o *output) controller(f Files, spec Spec, ca *Authority, now time.Time) {
	o.serving(f, spec, ca, now)
	for _, u := range f.users() {
		o.kubeconfig(u, spec, ca, now)
	}
}

func (o *output) serving(f Files, spec Spec, ca *Authority, now time.Time) {
	names, addresses := split(spec.hosts())
	o.leaf(ca, f.Cert, f.Key, spec.keyAlgorithm(), now, x509.Certificate{
		Subject:     subject(serverCN, "Kubernetes", leafUnit),
		DNSNames:    names,
		IPAddresses: addresses,
	})
}

func (o *output) leaf(ca *Authority, certPath, keyPath string, a KeyAlgorithm, now time.Time, template x509.Certificate) {
	certPEM, keyPEM := o.pair(ca, a, now, template)
	if o.err == nil {
		o.add(certPath, public, certPEM)
		o.add(keyPath, private, keyPEM)
	}
}

func (o *output) pair(ca *Authority, a KeyAlgorithm, now time.Time, template x509.Certificate) (certPEM, key []byte) {
	if o.err != nil {
		return nil, nil
	}
	signer, err := a.generate()
	if err != nil {
		o.err = err
		return nil, nil
	}
	p, err := ca.leaf(signer, now, template)
	if err != nil {
		o.err = err
		return nil, nil
	}
	if key, err = keyPEM(p.key); err != nil {
		o.err = err
		return nil, nil
	}
	return certificatesPEM(p.chain...), key
}

// user is who uses a kubeconfig.
type user struct{ path, name, group string }

// users are those of lab chapter 05.
func (f Files) users() []user {
	return []user{
		{f.ControllerManagerKubeconfig, "system:kube-controller-manager", "system:kube-controller-manager"},
		{f.SchedulerKubeconfig, "system:kube-scheduler", "system:kube-scheduler"},
		{f.AdminKubeconfig, "admin", "system:masters"},
	}
}

// kubeconfig makes a client certificate and puts it, its key and the CA into a
// kubeconfig, as lab chapter 05 does with --embed-certs=true.
func (o *output) kubeconfig(u user, spec Spec, ca *Authority, now time.Time) {
	if o.err != nil || u.path == "" {
		return
	}
	certPEM, key := o.pair(ca, spec.keyAlgorithm(), now, x509.Certificate{Subject: subject(u.name, u.group, leafUnit)})
	if o.err != nil {
		return
	}
	server := "https://" + net.JoinHostPort(spec.serverHost(), strconv.Itoa(spec.ServerPort))
	config := clientcmdapi.NewConfig()
	config.Clusters[clusterName] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca.trusted}
	config.AuthInfos[u.name] = &clientcmdapi.AuthInfo{ClientCertificateData: certPEM, ClientKeyData: key}
	config.Contexts["default"] = &clientcmdapi.Context{Cluster: clusterName, AuthInfo: u.name}
	config.CurrentContext = "default"
	data, err := clientcmd.Write(*config)
	if err != nil {
		o.err = fmt.Errorf("writing the kubeconfig of %s: %w", u.name, err)
		return
	}
	o.add(u.path, private, data)
}

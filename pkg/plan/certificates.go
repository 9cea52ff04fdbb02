// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"slices"
)

// Takeover is when a running control plane uses what is put in place of a
// certificate.
type Takeover int

// The takeovers, the best one first.
const (
	// Running is while it runs: the apiserver looks at its files every minute and
	// etcd at each handshake; as the client of kubelets and etcd it looks every
	// 5 minutes (CertCallbackRefreshDuration in client-go's transport) or at each
	// handshake.
	Running Takeover = iota
	// Restart is at the next start: a kubeconfig is read once.
	Restart
	// NextUse is of what no component uses: the admin's kubeconfig.
	NextUse
)

// CertificateFile is a file with a certificate in force.
type CertificateFile struct {
	Path string
	// Key is the file with the key of its first certificate; "" where that is not
	// used: a CA's bundle, and a kubeconfig, which has it inside.
	Key        string
	Kubeconfig bool
	Takeover   Takeover
}

// Certificates lists every file with a certificate in force, each once.
func (p *Plan) Certificates() []CertificateFile {
	var all []CertificateFile
	add := func(f CertificateFile) {
		same := func(o CertificateFile) bool { return o.Path == f.Path }
		switch i := slices.IndexFunc(all, same); {
		case f.Path == "":
		case i < 0:
			all = append(all, f)
		default:
			all[i].Key = cmp.Or(all[i].Key, f.Key)
			all[i].Takeover = max(all[i].Takeover, f.Takeover)
		}
	}
	api, kcm, scheduler := p.APIServer.ServerRunOptions, p.ControllerManager, p.Scheduler
	for _, path := range []string{p.ClientCA.Path, p.EtcdCA.Path, p.KubeletCA.Path, p.RootCA.Path, p.Signing.Cert.Path, api.Authentication.RequestHeader.ClientCAFile} {
		add(CertificateFile{Path: path})
	}
	for _, s := range kcm.SigningPairs() {
		add(CertificateFile{Path: s.CertFile})
	}
	for _, pair := range []Pair{p.Serving, p.EtcdClient, p.KubeletClient} {
		add(CertificateFile{Path: pair.Cert.Path, Key: pair.Key.Path})
	}
	for _, pair := range [][2]string{
		{api.ProxyClientCertFile, api.ProxyClientKeyFile},
		{kcm.SecureServing.ServerCert.CertKey.CertFile, kcm.SecureServing.ServerCert.CertKey.KeyFile},
		{scheduler.SecureServing.ServerCert.CertKey.CertFile, scheduler.SecureServing.ServerCert.CertKey.KeyFile},
	} {
		add(CertificateFile{Path: pair[0], Key: pair[1]})
	}
	for _, sni := range api.SecureServing.SNICertKeys {
		add(CertificateFile{Path: sni.CertFile, Key: sni.KeyFile})
	}
	if p.Etcd != nil {
		add(CertificateFile{Path: p.Etcd.ClientTLSInfo.CertFile, Key: p.Etcd.ClientTLSInfo.KeyFile})
		add(CertificateFile{Path: p.Etcd.PeerTLSInfo.CertFile, Key: p.Etcd.PeerTLSInfo.KeyFile})
	}
	for _, f := range p.Kubeconfigs {
		add(CertificateFile{Path: f.Path, Kubeconfig: true, Takeover: Restart})
	}
	add(CertificateFile{Path: p.Files.AdminKubeconfig, Kubeconfig: true, Takeover: NextUse})
	return all
}

// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"bytes"
	"os"
	"strings"

	"go.etcd.io/etcd/client/pkg/v3/transport"
)

// etcdItems are section 2.
var etcdItems = []item{
	{id: "2.1", title: "etcd has a certificate for its clients", judge: ofMember(func(in *input) verdict {
		return etcdFiles("cert-file", in.Etcd.ClientTLSInfo, in.Etcd.ListenClientUrls[0].Scheme)
	})},
	{id: "2.2", title: "etcd's clients have to have a certificate", judge: ofMember(func(in *input) verdict {
		return etcdIs(in.Etcd.ClientTLSInfo.ClientCertAuth, "client-cert-auth=true", "everybody who reaches etcd may read it")
	})},
	{id: "2.3", title: "etcd does not sign certificates for itself", judge: ofMember(func(in *input) verdict {
		return etcdIs(!in.Etcd.ClientAutoTLS, "auto-tls=false", "clients cannot tell etcd from anybody else")
	})},
	{id: "2.4", title: "etcd has a certificate for its peers", judge: ofMember(func(in *input) verdict {
		return etcdFiles("peer-cert-file", in.Etcd.PeerTLSInfo, in.Etcd.ListenPeerUrls[0].Scheme)
	})},
	{id: "2.5", title: "etcd's peers have to have a certificate", judge: ofMember(func(in *input) verdict {
		return etcdIs(in.Etcd.PeerTLSInfo.ClientCertAuth, "peer-client-cert-auth=true", "everybody who reaches etcd's port for peers may become one")
	})},
	{id: "2.6", title: "etcd does not sign certificates for its peers", judge: ofMember(func(in *input) verdict {
		return etcdIs(!in.Etcd.PeerAutoTLS, "peer-auto-tls=false", "peers cannot tell each other from anybody else")
	})},
	{id: "2.7", title: "etcd has a CA of its own", judge: func(in *input) verdict {
		etcd, clients := in.EtcdCA.Path, in.ClientCA.Path
		a, err := os.ReadFile(etcd)
		if err != nil {
			return skipped("there is no CA yet: " + etcd)
		}
		if b, err := os.ReadFile(clients); err == nil && bytes.Equal(a, b) {
			return differs("the lab has one CA for all (chapter 04), so that who has a certificate of any client can reach etcd where its port is open: an embedded member " +
				"that is alone listens on loopback only; keep 2379 and 2380 to the controllers elsewhere. With etcd of your own, --etcd-servers takes a CA of its own, in --kube-apiserver-arg etcd-cafile")
		}
		return passes(etcd)
	}},
}

// ofMember judges the embedded member, where there is one.
func ofMember(judge func(*input) verdict) func(*input) verdict {
	return func(in *input) verdict {
		if in.Etcd == nil {
			return skipped(externalEtcd)
		}
		return judge(in)
	}
}

func etcdFiles(flag string, info transport.TLSInfo, scheme string) verdict {
	if scheme != "https" || info.CertFile == "" || info.KeyFile == "" {
		return fails("etcd serves "+scheme+" without a certificate", "set --etcd-arg "+flag+" and --etcd-arg "+strings.Replace(flag, "cert", "key", 1)+", or give up what takes the lab's away")
	}
	return passes(info.CertFile, info.KeyFile)
}

func etcdIs(so bool, setting, otherwise string) verdict {
	if !so {
		return fails(otherwise, "set --etcd-arg "+setting)
	}
	return passes("--" + setting)
}

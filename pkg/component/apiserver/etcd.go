// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"net"
	"net/url"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/server/egressselector"
	genericoptions "k8s.io/apiserver/pkg/server/options"
)

// Etcd is how etcd is reached otherwise than by gRPC's own connections to the
// servers of the flags.
type Etcd struct {
	// Local connects to the etcd member of the process; nil where there is none.
	Local func(context.Context) (net.Conn, error)
	// Members connects to the servers of the flags, by their addresses; nil to leave
	// that to gRPC.
	Members utilnet.DialFunc
}

// dialing returns the options with which etcd is reached by e. With Local, that is
// without TLS, and not where some connections lead elsewhere, to servers of their own
// for some resources. They are as they were where connections go through a proxy.
func (o *Options) dialing(e Etcd) *Options {
	var dial utilnet.DialFunc
	local := e.Local != nil && len(o.Etcd.EtcdServersOverrides) == 0
	switch {
	case o.EgressSelector.ConfigFile != "":
		return o
	case local:
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return e.Local(ctx) }
	case e.Members != nil:
		dial = e.Members
	default:
		return o
	}
	return o.withEtcd(func(etcd *genericoptions.EtcdOptions) {
		transport := &etcd.StorageConfig.Transport
		if local {
			transport.CertFile, transport.KeyFile, transport.TrustedCAFile = "", "", ""
			transport.ServerList = plain(transport.ServerList)
		}
		transport.EgressLookup = func(egressselector.NetworkContext) (utilnet.DialFunc, error) { return dial, nil }
	})
}

// plain returns the servers as etcd's client reaches them without TLS.
func plain(servers []string) []string {
	out := make([]string, len(servers))
	for i, s := range servers {
		out[i] = s
		if u, err := url.Parse(s); err == nil {
			u.Scheme = "http"
			out[i] = u.String()
		}
	}
	return out
}

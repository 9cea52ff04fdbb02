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

// DialFunc connects to the etcd member of the process.
type DialFunc func(context.Context) (net.Conn, error)

// dialing returns the options with which etcd is reached by dial, without TLS.
// They are as they were without dial, and where some connections to etcd lead
// elsewhere: a server of its own for some resources, or a proxy.
func (o *Options) dialing(dial DialFunc) *Options {
	if dial == nil || len(o.Etcd.EtcdServersOverrides) > 0 || o.EgressSelector.ConfigFile != "" {
		return o
	}
	return o.withEtcd(func(etcd *genericoptions.EtcdOptions) {
		transport := &etcd.StorageConfig.Transport
		transport.CertFile, transport.KeyFile, transport.TrustedCAFile = "", "", ""
		transport.ServerList = plain(transport.ServerList)
		transport.EgressLookup = func(egressselector.NetworkContext) (utilnet.DialFunc, error) {
			return func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }, nil
		}
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

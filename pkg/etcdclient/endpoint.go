// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"net"
	"net/url"
	"strings"
)

// security is whether a connection has TLS, as far as an endpoint tells.
type security string

const (
	secured  security = "https"
	plain    security = "http"
	byConfig security = "" // TLS if there are files for it
)

// interpret returns what etcd's own client dials for one of --etcd-servers. It
// takes more than URLs: addresses without a scheme, schemes in capitals, paths,
// which it ignores, and sockets (client/v3/internal/endpoint/endpoint.go, which
// cannot be imported; the tests compare).
func interpret(endpoint string) (network, address string, s security) {
	for _, scheme := range []string{"unix:", "unixs:"} {
		if path, ok := strings.CutPrefix(endpoint, scheme); ok {
			s = byConfig
			if scheme == "unixs:" {
				s = secured
			}
			return "unix", strings.TrimPrefix(path, "//"), s
		}
	}
	if !strings.Contains(endpoint, "://") {
		return "tcp", endpoint, byConfig
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != string(secured) && u.Scheme != string(plain) {
		return "tcp", endpoint, byConfig
	}
	return "tcp", u.Host, security(u.Scheme)
}

// Address returns the network and the address that etcd's own client dials for one
// of --etcd-servers.
func Address(endpoint string) (network, address string) {
	network, address, _ = interpret(endpoint)
	return network, address
}

// isDialable reports whether address is one that net.Dial takes.
func isDialable(network, address string) bool {
	if network == "unix" {
		return true
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = net.LookupPort("tcp", port)
	return err == nil
}

// security is whether the connection to any endpoint has TLS: etcd's client goes
// by the first one for all of them.
func (c Config) security(endpoint string) security {
	if len(c.Endpoints) > 0 {
		endpoint = c.Endpoints[0]
	}
	_, _, s := interpret(endpoint)
	switch {
	case s != byConfig:
		return s
	case c.hasFiles():
		return secured
	}
	return plain
}

func (c Config) hasFiles() bool { return c.CAFile != "" || c.CertFile != "" || c.KeyFile != "" }

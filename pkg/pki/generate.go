// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"cmp"
	"net"
	"slices"
	"time"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
)

// Spec says whom one controller's certificates are for.
type Spec struct {
	// AdvertiseAddress is where the apiserver is reached from other machines; nil
	// where Hosts says so.
	AdvertiseAddress net.IP
	// Hosts are more names and addresses that the apiserver is reached by.
	Hosts []string
	// ServiceIP is the first address of the service range, at which pods reach
	// the apiserver: 10.32.0.1 in the lab.
	ServiceIP net.IP
	// ServerHost and ServerPort are where the apiserver is reached from its own
	// machine, for the kubeconfigs; without a host it is 127.0.0.1, as in the lab.
	ServerHost string
	ServerPort int
	// KeyAlgorithm is that of the keys that are made; ECDSA where it is empty.
	KeyAlgorithm KeyAlgorithm
	// Authority signs; nil for one that is made.
	Authority *Authority
	// Journal is where Generate notes what is to be finished; "" for the one beside
	// the CA.
	Journal string
}

const (
	clusterName = "kubernetes-the-hard-way" // as in lab chapter 05
	serverCN    = "kubernetes"              // the user whom the kubelet RBAC binds
)

// hosts are all names and addresses that the apiserver is to be called by: those
// that pods and people use, and those of s.
func (s Spec) hosts() []string {
	all := []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster", "kubernetes.default.svc.cluster.local", "localhost",
	}
	for _, ip := range []net.IP{s.ServiceIP, s.AdvertiseAddress, net.IPv4(127, 0, 0, 1), net.IPv6loopback} {
		if ip != nil {
			all = append(all, ip.String())
		}
	}
	all = append(all, s.serverHost())
	return append(all, s.Hosts...)
}

func (s Spec) serverHost() string { return cmp.Or(s.ServerHost, "127.0.0.1") }

func (s Spec) keyAlgorithm() KeyAlgorithm { return cmp.Or(s.KeyAlgorithm, ECDSA) }

// Generate makes every file of f. On any error, such as a file that exists or a
// full disk, nothing of it is left behind.
func Generate(f Files, spec Spec) error {
	now := time.Now()
	cluster, err := NewCluster(spec.Authority, spec.keyAlgorithm(), now)
	if err != nil {
		return err
	}
	var out output
	out.shared(f, cluster)
	out.controller(f, spec, cluster.authority, now)
	if out.err != nil {
		return out.err
	}
	return atomicfiles.Write(cmp.Or(spec.Journal, f.Journal()), out.files, now)
}

// split parts hosts into names and addresses, each once.
func split(hosts []string) (names []string, addresses []net.IP) {
	for _, host := range hosts {
		ip := net.ParseIP(host)
		switch {
		case ip != nil && !slices.ContainsFunc(addresses, ip.Equal):
			addresses = append(addresses, ip)
		case ip == nil && !slices.Contains(names, host):
			names = append(names, host)
		}
	}
	return names, addresses
}

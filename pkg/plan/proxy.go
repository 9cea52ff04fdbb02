// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"net/url"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"
	"k8s.io/client-go/tools/clientcmd"
)

// noProxy is the environment's list of hosts that are reached without its proxy
// (golang.org/x/net/http/httpproxy), in the spellings that are read.
var noProxy = []string{"NO_PROXY", "no_proxy"}

// BypassProxy has this process reach its own apiserver and etcd without the
// environment's proxy: nobody needs one for that, and one that cannot reach them
// would end the control plane. A proxy-url in a kubeconfig holds as ever, and so does
// the environment for webhooks and whatever else is elsewhere. It has to be called
// before anything connects, because Go reads the environment once.
func (p *Plan) BypassProxy() error {
	if proxy := httpproxy.FromEnvironment(); proxy.HTTPProxy == "" && proxy.HTTPSProxy == "" {
		return nil
	}
	own := p.ownHosts()
	for _, name := range noProxy {
		value := os.Getenv(name)
		if value == "" && name != noProxy[0] {
			continue
		}
		hosts := slices.DeleteFunc(strings.Split(value, ","), func(s string) bool { return strings.TrimSpace(s) == "" })
		for _, host := range own {
			if !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
		if err := os.Setenv(name, strings.Join(hosts, ",")); err != nil {
			return err
		}
	}
	return nil
}

// ownHosts are where the components reach each other and etcd: the hosts of the
// kubeconfigs, those of etcd, and the apiserver's own addresses. Loopback is never
// reached through a proxy.
func (p *Plan) ownHosts() []string {
	var hosts []string
	add := func(host string) {
		if host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	addURL := func(text string) {
		if u, err := url.Parse(text); err == nil {
			add(u.Hostname())
		}
	}
	if p.AdvertiseAddress != nil {
		add(p.AdvertiseAddress.String())
	}
	for _, l := range p.Listeners() {
		addURL("https://" + l.Value)
	}
	for _, endpoint := range p.EtcdAccess.Endpoints {
		addURL(endpoint)
	}
	for _, f := range append(p.Kubeconfigs[:len(p.Kubeconfigs):len(p.Kubeconfigs)], File{Path: p.Files.AdminKubeconfig}) {
		config, err := clientcmd.LoadFromFile(f.Path)
		if err != nil {
			continue // made later, or reported by the checks
		}
		for _, cluster := range config.Clusters {
			addURL(cluster.Server)
		}
	}
	slices.Sort(hosts)
	return hosts
}

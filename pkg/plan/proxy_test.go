// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/net/http/httpproxy"

	"github.com/khw-controller/khw-controller/pkg/config"
)

func TestNobodyNeedsAProxyToReachTheOwnApiserver(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster: {server: 'https://balancer.example.com:6443'}\n"
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
	t.Setenv("NO_PROXY", "intranet.example.com")
	t.Setenv("no_proxy", "")
	p, err := New(t.Context(), &config.Config{
		Root: t.TempDir(), AdvertiseAddress: "10.240.0.10", EtcdServers: []string{"https://10.240.0.11:2379", "https://etcd.example.com:2379"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Kubeconfigs = []File{{Path: kubeconfig}}
	for range 2 { // a second time changes nothing
		if err := p.BypassProxy(); err != nil {
			t.Fatal(err)
		}
	}
	proxy := httpproxy.FromEnvironment().ProxyFunc()
	for host, proxied := range map[string]bool{
		"10.240.0.10:6443": false, "10.240.0.11:2379": false, "etcd.example.com:2379": false, "balancer.example.com:6443": false,
		"127.0.0.1:6443": false, "intranet.example.com": false, "webhook.example.com:443": true,
	} {
		got, err := proxy(&url.URL{Scheme: "https", Host: host})
		if err != nil || (got != nil) != proxied {
			t.Errorf("%s is reached through %v, %v", host, got, err)
		}
	}
}

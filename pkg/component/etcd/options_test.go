// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/pkg/v3/featuregate"
	"go.etcd.io/etcd/server/v3/features"

	"github.com/khw-controller/khw-controller/pkg/controllers"
)

func defaults() []Setting {
	return Defaults("controller-0", "/var/lib/etcd", TLS{CertFile: "/k.pem", KeyFile: "/k-key.pem", CAFile: "/ca.pem"})
}

func TestDefaultsAreTheLabsOnLoopback(t *testing.T) {
	c, err := Configure(defaults())
	if err != nil {
		t.Fatal(err)
	}
	if !c.ClientTLSInfo.ClientCertAuth || !c.PeerTLSInfo.ClientCertAuth || c.ClientTLSInfo.TrustedCAFile != "/ca.pem" {
		t.Errorf("clients or peers are not verified: %v, %v", c.ClientTLSInfo, c.PeerTLSInfo)
	}
	if got := Endpoints(c); !slices.Equal(got, []string{"https://127.0.0.1:2379"}) {
		t.Errorf("it is reached at %v", got)
	}
	if c.InitialCluster != "controller-0=https://127.0.0.1:2380" || c.Dir != "/var/lib/etcd" {
		t.Errorf("initial cluster %s, data in %s", c.InitialCluster, c.Dir)
	}
}

func TestClusterDefaultsAreTheLabs(t *testing.T) {
	all, err := controllers.Parse([]string{"controller-0=10.240.0.10", "controller-1=10.240.0.11", "controller-2=fd00::12"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Configure(ClusterDefaults(all[1], all, "/var/lib/etcd", TLS{CertFile: "/k.pem", KeyFile: "/k-key.pem", CAFile: "/ca.pem"}))
	if err != nil {
		t.Fatal(err)
	}
	if !c.ClientTLSInfo.ClientCertAuth || !c.PeerTLSInfo.ClientCertAuth || c.PeerTLSInfo.TrustedCAFile != "/ca.pem" {
		t.Errorf("clients or peers are not verified: %v, %v", c.ClientTLSInfo, c.PeerTLSInfo)
	}
	if got := Endpoints(c); !slices.Equal(got, []string{"https://127.0.0.1:2379"}) {
		t.Errorf("the apiserver reaches it at %v", got)
	}
	if got := c.AdvertiseClientUrls[0].String() + " " + c.AdvertisePeerUrls[0].String() + " " + c.ListenPeerUrls[0].String(); got !=
		"https://10.240.0.11:2379 https://10.240.0.11:2380 https://10.240.0.11:2380" {
		t.Errorf("the others reach it at %s", got)
	}
	if want := "controller-0=https://10.240.0.10:2380,controller-1=https://10.240.0.11:2380,controller-2=https://[fd00::12]:2380"; c.InitialCluster != want {
		t.Errorf("the cluster is %s", c.InitialCluster)
	}
	if c.Name != "controller-1" || c.TickMs != 100 || c.ElectionMs != 1000 || c.QuotaBackendBytes != 8<<30 || c.AutoCompactionRetention != "0" {
		t.Errorf("%s, %d, %d, %d, %s", c.Name, c.TickMs, c.ElectionMs, c.QuotaBackendBytes, c.AutoCompactionRetention)
	}
	for _, gate := range []featuregate.Feature{features.InitialCorruptCheck, features.CompactHashCheck} {
		if !c.ServerFeatureGate.Enabled(gate) {
			t.Errorf("%s is off", gate)
		}
	}
}

func TestLaterSettingsBeatEarlierOnes(t *testing.T) {
	c, err := Configure(append(defaults(),
		Setting{"listen-client-urls", "https://127.0.0.1:12379,https://10.240.0.10:12379"},
		Setting{"advertise-client-urls", "https://10.240.0.10:12379"},
		Setting{"quota-backend-bytes", "8589934592"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := Endpoints(c); !slices.Equal(got, []string{"https://127.0.0.1:12379"}) || len(c.ListenClientUrls) != 2 {
		t.Errorf("it is reached at %v and listens on %v", got, c.ListenClientUrls)
	}
	if c.QuotaBackendBytes != 8589934592 {
		t.Errorf("the quota is %d", c.QuotaBackendBytes)
	}
}

func TestBadSettingsAreNamed(t *testing.T) {
	for name, test := range map[string]struct {
		setting Setting
		says    []string
	}{
		"unknown, near": {Setting{"quota-backend-byte", "1"}, []string{"--etcd-arg quota-backend-byte", "did you mean quota-backend-bytes?"}},
		"unknown, far":  {Setting{"zzzzzzzzzzzz", "1"}, []string{"--etcd-arg zzzzzzzzzzzz: there is no such flag"}},
		"no number":     {Setting{"quota-backend-bytes", "many"}, []string{"--etcd-arg quota-backend-bytes=many"}},
		"no URL":        {Setting{"listen-client-urls", "127.0.0.1"}, []string{"--etcd-arg listen-client-urls=127.0.0.1"}},
		"impossible":    {Setting{"election-timeout", "1"}, []string{"--etcd-arg: ", "election-timeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Configure(append(defaults(), test.setting))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, s := range test.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"slices"
	"strings"
	"testing"
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

func TestLaterSettingsBeatEarlierOnes(t *testing.T) {
	c, err := Configure(append(defaults(),
		Setting{"listen-client-urls", "https://127.0.0.1:12379,https://10.240.0.10:12379"},
		Setting{"advertise-client-urls", "https://10.240.0.10:12379"},
		Setting{"quota-backend-bytes", "8589934592"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := Endpoints(c); !slices.Equal(got, []string{"https://10.240.0.10:12379"}) || len(c.ListenClientUrls) != 2 {
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

// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apiserver/pkg/server/egressselector"
)

func TestMembersAreDialedAsTheFlagsSay(t *testing.T) {
	lab := []string{"--etcd-servers=https://10.240.0.10:2379,https://10.240.0.11:2379", "--etcd-cafile=ca.pem", "--etcd-certfile=cert.pem", "--etcd-keyfile=key.pem"}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	var dialed []string
	e := Etcd{Members: func(_ context.Context, network, address string) (net.Conn, error) {
		dialed = append(dialed, network+" "+address)
		return client, nil
	}}
	for name, flags := range map[string][]string{
		"all in one etcd":                    nil,
		"events are in an etcd of their own": {"--etcd-servers-overrides=/events#https://10.240.0.12:2379"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := Parse(slices.Concat(lab, flags))
			if err != nil {
				t.Fatal(err)
			}
			got := o.dialing(e).Etcd.StorageConfig.Transport
			if want := o.Etcd.StorageConfig.Transport; !slices.Equal(got.ServerList, want.ServerList) || got.CertFile != want.CertFile || got.KeyFile != want.KeyFile || got.TrustedCAFile != want.TrustedCAFile {
				t.Errorf("it is reached as %+v, want as the flags say: %+v", got, want)
			}
			dial, err := got.EgressLookup(egressselector.Etcd.AsNetworkContext())
			if err != nil {
				t.Fatal(err)
			}
			dialed = nil
			if conn, err := dial(t.Context(), "tcp", "10.240.0.11:2379"); err != nil || conn != client || !slices.Equal(dialed, []string{"tcp 10.240.0.11:2379"}) {
				t.Errorf("dialing gives %v, %v, and dials %v", conn, err, dialed)
			}
		})
	}
	egress := filepath.Join(t.TempDir(), "egress.yaml")
	if err := os.WriteFile(egress, []byte("apiVersion: apiserver.k8s.io/v1beta1\nkind: EgressSelectorConfiguration\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := Parse(append(lab, "--egress-selector-config-file="+egress))
	if err != nil {
		t.Fatal(err)
	}
	if o.dialing(e).Etcd.StorageConfig.Transport.EgressLookup != nil {
		t.Error("the proxies of an egress selector are passed by")
	}
}

func TestEtcdIsDialedWithinTheProcess(t *testing.T) {
	egress := filepath.Join(t.TempDir(), "egress.yaml")
	if err := os.WriteFile(egress, []byte("apiVersion: apiserver.k8s.io/v1beta1\nkind: EgressSelectorConfiguration\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lab := []string{"--etcd-servers=https://127.0.0.1:2379", "--etcd-cafile=ca.pem", "--etcd-certfile=cert.pem", "--etcd-keyfile=key.pem"}
	var dialed int
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	dial := func(context.Context) (net.Conn, error) { dialed++; return client, nil }
	for name, tt := range map[string]struct {
		flags  []string
		dial   func(context.Context) (net.Conn, error)
		within bool
	}{
		"embedded":                                {dial: dial, within: true},
		"not embedded":                            {},
		"events are in an etcd of their own":      {flags: []string{"--etcd-servers-overrides=/events#https://10.240.0.10:2379"}, dial: dial},
		"connections go through proxies":          {flags: []string{"--egress-selector-config-file=" + egress}, dial: dial},
		"embedded, and other options are changed": {flags: []string{"--etcd-prefix=/other"}, dial: dial, within: true},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := Parse(slices.Concat(lab, tt.flags))
			if err != nil {
				t.Fatal(err)
			}
			before := o.Etcd.StorageConfig.Transport
			got := o.dialing(Etcd{Local: tt.dial}).Etcd.StorageConfig
			if flags := o.Etcd.StorageConfig.Transport; !slices.Equal(flags.ServerList, before.ServerList) || flags.TrustedCAFile != before.TrustedCAFile {
				t.Errorf("the flags are changed: %+v", flags)
			}
			if !tt.within {
				if got.Transport.EgressLookup != nil || got.Transport.CertFile != "cert.pem" || got.Transport.ServerList[0] != "https://127.0.0.1:2379" {
					t.Errorf("it is reached as %+v, want as the flags say", got.Transport)
				}
				return
			}
			if want := []string{"http://127.0.0.1:2379"}; !slices.Equal(got.Transport.ServerList, want) || got.Transport.CertFile+got.Transport.KeyFile+got.Transport.TrustedCAFile != "" {
				t.Errorf("it is reached as %+v, want %s without TLS", got.Transport, want)
			}
			if got.Prefix != o.Etcd.StorageConfig.Prefix {
				t.Errorf("the prefix is %s", got.Prefix)
			}
			lookedUp, err := got.Transport.EgressLookup(egressselector.Etcd.AsNetworkContext())
			if err != nil {
				t.Fatal(err)
			}
			dialed = 0
			if conn, err := lookedUp(t.Context(), "tcp", "127.0.0.1:2379"); err != nil || conn != client || dialed != 1 {
				t.Errorf("dialing gives %v, %v", conn, err)
			}
		})
	}
}

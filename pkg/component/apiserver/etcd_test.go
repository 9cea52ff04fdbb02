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
		dial   DialFunc
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
			got := o.dialing(tt.dial).Etcd.StorageConfig
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

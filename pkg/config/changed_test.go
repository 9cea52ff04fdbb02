// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"testing"
)

func TestChanged(t *testing.T) {
	const before = `advertise-address: 10.240.0.10
shutdown-delay: 10s
v: 2
kube-apiserver-arg: [event-ttl=2h, v=2]
`
	tests := map[string]struct {
		after string
		flags []string
		want  []string
	}{
		"nothing":                           {after: before},
		"the order of keys":                 {after: "v: 2\nkube-apiserver-arg: [event-ttl=2h, v=2]\nshutdown-delay: 10s\nadvertise-address: 10.240.0.10\n"},
		"verbosity":                         {after: "advertise-address: 10.240.0.10\nshutdown-delay: 10s\nv: 4\nkube-apiserver-arg: [event-ttl=2h, v=4]\n"},
		"a value":                           {after: "advertise-address: 10.240.0.10\nshutdown-delay: 20s\nv: 2\nkube-apiserver-arg: [event-ttl=2h]\n", want: []string{"shutdown-delay"}},
		"a flag of a component":             {after: "advertise-address: 10.240.0.10\nshutdown-delay: 10s\nkube-apiserver-arg: [event-ttl=3h]\n", want: []string{"kube-apiserver-arg"}},
		"keys that went and came":           {after: "etcd-servers: https://10.240.0.10:2379\n", want: []string{"advertise-address", "etcd-servers", "shutdown-delay", "kube-apiserver-arg"}},
		"a value that a flag beats anyway":  {after: before, flags: []string{"--shutdown-delay=10s"}},
		"a value that a flag beats at last": {after: "advertise-address: 10.240.0.10\nshutdown-delay: 30s\nkube-apiserver-arg: [event-ttl=2h]\n", flags: []string{"--shutdown-delay=10s"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			was, err := load(t, before, test.flags...)
			if err != nil {
				t.Fatal(err)
			}
			is, err := load(t, test.after, test.flags...)
			if err != nil {
				t.Fatal(err)
			}
			if got := Changed(was, is); !slices.Equal(got, test.want) {
				t.Errorf("changed: %v, want %v", got, test.want)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// As go tool pprof prints them.
const (
	topOutput = `File: khw-controller
Type: cpu
Time: 2026-11-26 20:49:00 UTC
Duration: 2.41s, Total samples = 860ms (35.68%)
Active filters:
   hide=^(runtime)
Showing nodes accounting for 310ms, 36.05% of 860ms total
Dropped 12 nodes (cum <= 4.30ms)
      flat  flat%   sum%        cum   cum%
     120ms 13.95% 13.95%      120ms 13.95%  crypto/internal/fips140/bigmod.addMulVVW1024
`
	tagsOutput = ` code: Total 10ms of 860ms ( 1.16%)
             10ms ( 1.16%): 200

 component: Total 730ms of 860ms (84.88%)
            390ms (45.35%): kube-apiserver
            120ms (13.95%): etcd

 zone: Total 10ms of 860ms ( 1.16%)
       10ms ( 1.16%): a

`
)

func TestTop(t *testing.T) {
	const want = `Showing nodes accounting for 310ms, 36.05% of 860ms total
      flat  flat%   sum%        cum   cum%
     120ms 13.95% 13.95%      120ms 13.95%  crypto/internal/fips140/bigmod.addMulVVW1024
`
	if got := top(topOutput); got != want {
		t.Errorf("kept\n%swant\n%s", got, want)
	}
}

func TestComponents(t *testing.T) {
	for _, test := range []struct{ out, want string }{
		{tagsOutput, "kube-apiserver 390ms (45.35%), etcd 120ms (13.95%)"},
		{"", "none is known"},
	} {
		if got := components(test.out); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

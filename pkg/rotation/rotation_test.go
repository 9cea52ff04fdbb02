// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"slices"
	"testing"
)

// TestMembers finds the members of controllers whose address is known, on the ports
// of this one's.
func TestMembers(t *testing.T) {
	p := controller(t)
	for name, test := range map[string]struct {
		wanted      func(string) bool
		here, there []string
	}{
		"with this CA": {
			func(file string) bool { return file == p.Files.CA },
			[]string{"https://127.0.0.1:2379", "https://127.0.0.1:2380"}, []string{"https://192.0.2.11:2379", "https://192.0.2.11:2380"},
		},
		"with another": {func(string) bool { return false }, nil, nil},
	} {
		c := &Cluster{plan: p, Controllers: []Controller{{Name: "here", Here: true}, {Name: "there", host: "192.0.2.11"}, {Name: "of an etcd elsewhere"}}}
		c.addMembers(test.wanted)
		if !slices.Equal(c.Controllers[0].Etcd, test.here) || !slices.Equal(c.Controllers[1].Etcd, test.there) || len(c.Controllers[2].Etcd) > 0 {
			t.Errorf("%s: got %+v", name, c.Controllers)
		}
		if got := c.Others(); !slices.Equal(got, []string{"there", "of an etcd elsewhere"}) {
			t.Errorf("%s: the others are %v", name, got)
		}
	}
}

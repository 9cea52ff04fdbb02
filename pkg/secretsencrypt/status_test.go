// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/encryption"
)

func TestStatusSaysWhatIsNext(t *testing.T) {
	const both = "- {resources: [secrets], providers: [{identity: {}}, {aescbc: {keys: [{name: key1, secret: a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=}]}}]}"
	head, _, _ := strings.Cut(withKey(), "- resources")
	for name, test := range map[string]struct {
		config  string
		before  func(w *world)
		says    string
		pending bool
	}{
		"all is well":         {withKey(plain), func(*world) {}, "nothing to do", false},
		"one does not report": {withKey(plain), func(w *world) { w.serve(&controller{Follower: &Follower{Controller: "x", Address: "10.0.0.1:6443"}}) }, "the apiserver at 10.0.0.1:6443 has not reported", true},
		"a file is another":   {withKey(plain), func(w *world) { w.must(os.WriteFile(w.controllers[1].Path, []byte(withKey()), 0o600)) }, "controller-0 and controller-1 have different", true},
		"one was not restarted": {withKey(plain), func(w *world) {
			for _, c := range w.controllers {
				w.must(os.WriteFile(c.Path, []byte(withKey()), 0o600))
			}
		}, "controller-0 has another encryption configuration in force", true},
		"a rotation is under way": {withKey(plain), func(w *world) {
			hash := encryption.Hash([]byte(withKey(plain)))
			w.must((&Rotation{ID: "1", Phase: Second, From: hash, To: hash}).publish(w.Context(), w.client))
		}, "a rotation is under way", true},
		"moved away by hand": {withKey(plain), func(w *world) {
			for _, c := range w.controllers {
				c.inForce = []byte(head + both)
				w.must(os.WriteFile(c.Path, c.inForce, 0o600))
			}
		}, "5 secrets are encrypted with the key key1 of aescbc, and would be written otherwise", true},
		"nothing is encrypted": {head + "- {resources: [secrets], providers: [{identity: {}}]}", func(*world) {}, "nothing is encrypted; to encrypt", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2, test.config)
			test.before(w)
			for _, c := range w.controllers {
				c.lookWith(t.Context(), w.client)
			}
			s, err := w.rotator().Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(s.Next, test.says) || s.Pending != test.pending {
				t.Errorf("got %q, %v, want %q", s.Next, s.Pending, test.says)
			}
			if len(s.Controllers) != 2 || len(s.Stored) != 1 || s.Stored[0].Objects != 5 || s.Stored[0].Resource != "secrets" {
				t.Errorf("got %+v", s)
			}
			if slices.ContainsFunc(s.Controllers, func(c ControllerStatus) bool { return c.Stale || len(c.Providers) != 1 }) {
				t.Errorf("got %+v", s.Controllers)
			}
		})
	}
}

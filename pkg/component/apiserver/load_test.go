// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"
	"testing"
)

func TestWhatIsWrongWithALoadIsToldByTheRun(t *testing.T) {
	o, err := Parse([]string{"--cert-dir=" + t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for name, load := range map[string]func(*Server){
		"loaded before": (*Server).Load,
		"loaded by it":  func(*Server) {},
	} {
		s := New(o, Etcd{})
		load(s)
		if err := s.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "--etcd-servers") {
			t.Errorf("%s: got %v, want one about --etcd-servers", name, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"io"
	"testing"

	"github.com/khw-controller/khw-controller/internal/golden"
)

func TestWhatFlagsPrints(t *testing.T) {
	mine := map[Component][]Override{
		APIServer: append(overrides("file", "goaway-chance=0.01"),
			overrides("flag", "event-ttl=2h", "profiling=false", "authorization-config=/a.yaml", "disable-admission-plugins=NodeRestriction",
				"apiserver-count-", "goaway-chance-")...),
		ControllerManager: overrides("file", "cluster-cidr-"),
	}
	settings, dropped := map[Component][]Setting{}, map[Component][]Dropped{}
	for _, c := range Components() {
		r, err := Resolve(c, values(), mine[c])
		if err != nil {
			t.Fatal(err)
		}
		settings[c], dropped[c] = r.Settings, r.Dropped
	}
	rows := Rows(settings, dropped)
	for name, write := range map[string]func(io.Writer) error{
		"flags.txt":  func(w io.Writer) error { return WriteText(w, rows) },
		"flags.yaml": func(w io.Writer) error { return WriteYAML(w, rows) },
		"flags.unit": func(w io.Writer) error { return WriteUnit(w, settings) },
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			golden.Equal(t, "golden/"+name, got.Bytes())
		})
	}
}

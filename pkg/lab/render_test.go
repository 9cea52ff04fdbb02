// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// update writes what is printed now into testdata/golden:
// go test ./pkg/lab -update
var update = flag.Bool("update", false, "write testdata/golden anew")

func TestWhatFlagsPrints(t *testing.T) {
	settings := map[Component][]Setting{}
	for _, c := range Components() {
		var mine []Override
		if c == APIServer {
			mine = overrides("flag", "event-ttl=2h", "profiling=false")
		}
		settings[c], _ = resolve(t, c, mine)
	}
	rows := Rows(settings)
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
			path := filepath.Join("testdata/golden", name)
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("it prints\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}

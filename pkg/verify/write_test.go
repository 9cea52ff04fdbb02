// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"bytes"
	"encoding/xml"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/internal/golden"
)

var sample = []Result{
	{Step: "units", Outcome: Skipped, Skipped: "no systemd here", Seconds: 0.001},
	{Step: "health proxy", Outcome: Passed, Output: []string{"HTTP/1.1 200 OK", "Content-Type: text/plain; charset=utf-8", "", "ok"}, Seconds: 0.02},
	{Step: "version", Outcome: Failed, Failures: []Failure{
		{`https://lb:6443 <odd> & "quoted"` + "\x00", "look"}, {"second", "do this"},
	}, Seconds: 1.5},
	{Step: "1.2.3 an item", Outcome: Differs, Output: []string{"--x=1"}, Differs: "the lab has 1", Seconds: 0.001},
}

func TestWriters(t *testing.T) {
	text := func(m Marks) func(*bytes.Buffer) error {
		return func(b *bytes.Buffer) error {
			for _, r := range sample {
				WriteResult(b, r, m)
			}
			WriteSummary(b, sample)
			return nil
		}
	}
	for file, write := range map[string]func(*bytes.Buffer) error{
		"unicode.txt": text(Unicode),
		"ascii.txt":   text(ASCII),
		"junit.xml": func(b *bytes.Buffer) error {
			return WriteJUnit(b, sample, time.Date(2018, 5, 14, 13, 45, 39, 0, time.UTC))
		},
	} {
		var got bytes.Buffer
		if err := write(&got); err != nil {
			t.Fatal(err)
		}
		golden.Equal(t, file, got.Bytes())
	}
}

func TestJUnitIsXML(t *testing.T) {
	var b bytes.Buffer
	if err := WriteJUnit(&b, sample, time.Now()); err != nil {
		t.Fatal(err)
	}
	var read testSuites
	if err := xml.Unmarshal(b.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read.Tests != 4 || read.Failures != 1 || read.Skipped != 1 || len(read.Suites) != 1 || len(read.Suites[0].Cases) != 4 {
		t.Errorf("read %+v", read)
	}
	c := read.Suites[0].Cases
	if c[0].Skipped == nil || c[1].Failure != nil || c[2].Failure == nil || c[2].Failure.Message != "https://lb:6443 <odd> & \"quoted\"\uFFFD" {
		t.Errorf("read %+v", c)
	}
}

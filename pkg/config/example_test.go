// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

func TestTheShippedFileIsReadAndComplete(t *testing.T) {
	example := string(Example())
	c, err := load(t, example)
	if err != nil {
		t.Fatal(err)
	}
	if c.ShutdownDelay != nil || c.Verbosity != "0" {
		t.Errorf("got %+v", c)
	}
	if got := args(c.Args[lab.APIServer]); len(got) != 1 || got[0] != "--audit-log-path=/var/log/khw-controller/audit.log" {
		t.Errorf("kube-apiserver-arg: %v", got)
	}
	var reached int
	for _, k := range Keys() {
		_, isSet := shipped[k.Name]
		if isSet {
			reached++
		}
		if want := map[bool]string{true: "\n" + k.Name + ":", false: "\n#" + k.Name + ": "}[isSet]; strings.Count(example, want) != 1 {
			t.Errorf("%q is not there once", want)
		}
	}
	if reached != len(shipped) {
		t.Errorf("%d of the %d shipped settings are keys", reached, len(shipped))
	}
	for line := range strings.Lines(example) {
		if len(line) > exampleWidth+1 && strings.Count(line, " ") > 1 {
			t.Errorf("a long line: %q", line)
		}
	}
}

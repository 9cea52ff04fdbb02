// SPDX-License-Identifier: Apache-2.0

package flags

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// seen is the column that every release of Kubernetes changes.
var seen = regexp.MustCompile(`\bv1\.[0-9]+\.[0-9]+\b`)

func TestWhatIsGivenUpIsShown(t *testing.T) {
	cmd := New()
	cmd.Flags().String("root", t.TempDir(), "")
	cmd.SetArgs([]string{"--advertise-address=192.0.2.10", "--kube-apiserver-arg=event-ttl-", "--kube-apiserver-arg=insecure-port=0",
		"--kube-apiserver-arg=event-tll-", "--kube-apiserver-arg=authorization-config=/a.yaml"})
	var out, errOut bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(out.String()) {
		if name, rest, ok := strings.Cut(line, " "); ok && rows[name] == "" {
			rows[name] = strings.Join(strings.Fields(seen.ReplaceAllString(rest, "")), " ")
		}
	}
	for name, want := range map[string]string{
		"--event-ttl":            "- unset flag",
		"--authorization-mode":   "- replaced by --authorization-config flag",
		"--authorization-config": "/a.yaml added flag",
	} {
		if rows[name] != want {
			t.Errorf("%s: %q, want %q", name, rows[name], want)
		}
	}
	for _, notice := range []string{"--insecure-port was removed in v1.24 and is ignored", "--event-tll is not set; there is nothing to unset; did you mean event-ttl-?"} {
		if !strings.Contains(errOut.String(), notice) {
			t.Errorf("%q is not among the notices:\n%s", notice, errOut.String())
		}
	}
}

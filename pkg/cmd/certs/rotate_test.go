// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
)

// TestRotateWithoutAControlPlane wants every step to say what it lacks, and to change
// nothing.
func TestRotateWithoutAControlPlane(t *testing.T) {
	root, f := lab(t)
	before, err := os.ReadDir(filepath.Dir(f.CA))
	if err != nil {
		t.Fatal(err)
	}
	for args, says := range map[string]string{
		"":                   "no rotation has begun here: begin one with --begin",
		"--finish":           "no rotation has begun here",
		"--undo":             "no rotation has begun here",
		"--begin":            "no control plane runs here",
		"--begin --finish":   "one at a time",
		"--status --undo":    "one at a time",
		"--begin and more":   "takes no arguments",
		"--begin --root=/no": "/no/var/lib/kubernetes/ca.pem",
	} {
		for _, name := range []string{"rotate-ca", "rotate-service-account-key"} {
			out, err := command(t, root, append(append([]string{name}, strings.Fields(args)...), here)...)
			if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") || out != "" {
				t.Errorf("%s %s: got %v, %q, want %q", name, args, err, out, says)
			}
			var wrong cli.UsageError
			if usage := strings.Contains(says, "one at a time") || strings.Contains(says, "arguments"); errors.As(err, &wrong) != usage {
				t.Errorf("%s %s: wrong usage: %v", name, args, !usage)
			}
		}
	}
	for _, name := range []string{"rotate-ca", "rotate-service-account-key"} {
		if out, err := command(t, root, name, "--status", here); err != nil || out != "here: none\n" {
			t.Errorf("%s: got %v, %q", name, err, out)
		}
		if out, err := command(t, root, name, "--status", "-o", "json", here); err != nil || !strings.Contains(out, `"phase": "none"`) {
			t.Errorf("%s: got %v, %q", name, err, out)
		}
	}
	for args, says := range map[string]string{
		"rotate-ca --ca x": "go together, and with --begin", "rotate-ca --ca x --ca-key y": "go together, and with --begin",
		"rotate-service-account-key --finish --token-lifetime -1s": "--token-lifetime -1s",
	} {
		var wrong cli.UsageError
		if _, err := command(t, root, append(strings.Fields(args), here)...); !errors.As(err, &wrong) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", args, err)
		}
	}
	after, err := os.ReadDir(filepath.Dir(f.CA))
	if err != nil || len(after) != len(before) {
		t.Errorf("%d files became %d, %v", len(before), len(after), err)
	}
}

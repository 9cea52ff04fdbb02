// SPDX-License-Identifier: Apache-2.0

package clients

import (
	_ "embed"
	"os/exec"
	"strings"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// python is Debian's, which has Debian's package of the client.
const python = "/usr/bin/python3"

// script prints what it sees, a line each.
//
//go:embed testdata/client.py
var script string

// pythonClient has the official client for Python do what programs do.
func pythonClient(c *harness.Controller) {
	c.Helper()
	if err := exec.CommandContext(c.Context(), python, "-c", "import kubernetes").Run(); err != nil {
		c.Fatalf("%s has no module kubernetes: %v; run hack/install-test-deps", python, err)
	}
	out, err := exec.CommandContext(c.Context(), python, "-c", script, c.Lab("admin.kubeconfig")).CombinedOutput()
	if err != nil {
		c.Fatalf("the client for Python: %v: %s", err, out)
	}
	for _, want := range []string{"server v1.", "patched second\n", "pages one three two\n", "watched three\n", "missing 404\n", "custom 3\n"} {
		if !strings.Contains(string(out), want) {
			c.Errorf("the client for Python prints %s, without %q", out, want)
		}
	}
}

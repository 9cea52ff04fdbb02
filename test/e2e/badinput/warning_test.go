// SPDX-License-Identifier: Apache-2.0

package badinput

import (
	"crypto/x509"
	"net"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// TestMissingNamesAreWarnings takes addresses out of the certificate that only
// others connect to: the control plane runs, and who will not reach it is said.
func TestMissingNamesAreWarnings(t *testing.T) {
	advertised, err := process.HostAddress()
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range []net.IP{net.IPv4(10, 32, 0, 1), advertised} {
		t.Run(missing.String(), func(t *testing.T) {
			c := goodRoot(t)
			replaceCertificate(c, func(t *x509.Certificate) { t.IPAddresses = without(t.IPAddresses, missing) })
			found, code := c.CheckJSON()
			if code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			mustBeFound(c, found, "warning", missing.String())
		})
	}
}

func mustBeFound(c *harness.Controller, found []harness.Finding, severity, text string) {
	c.Helper()
	for _, f := range found {
		if f.Severity == severity && strings.Contains(f.Subject+f.Problem, text) {
			return
		}
	}
	c.Errorf("no %s about %s among %+v", severity, text, found)
}

// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

func TestWhyTheApiserverRefusesWhoHasNoCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "authentication.yaml")
	const head = "kind: AuthenticationConfiguration\napiVersion: apiserver.config.k8s.io/v1\n"
	for name, test := range map[string]struct{ setting, file, want, err string }{
		"the lab's":                 {"event-ttl=1h", "", "", ""},
		"anonymous-auth":            {"anonymous-auth=false", "", "anonymous-auth=false is set", ""},
		"always allow":              {"authorization-mode=AlwaysAllow", "", "authorization-mode=AlwaysAllow turns anonymous access off", ""},
		"a file about JWT":          {"authentication-config=" + file, head + "jwt: []\n", "", ""},
		"a file that allows all":    {"authentication-config=" + file, head + "anonymous: {enabled: true}\n", "", ""},
		"a file that allows it":     {"authentication-config=" + file, head + "anonymous: {enabled: true, conditions: [{path: /livez}, {path: /version}]}\n", "", ""},
		"a file that allows others": {"authentication-config=" + file, head + "anonymous: {enabled: true, conditions: [{path: /livez}]}\n", file + " does not let everybody ask", ""},
		"a file that allows nobody": {"authentication-config=" + file, head + "anonymous: {enabled: false}\n", file + " does not let everybody ask", ""},
		"a file that is none":       {"authentication-config=" + file, "\t", "", file},
		"no file":                   {"authentication-config=" + file, "", "", file},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(file) // that of the last case, if it had one
			if test.file != "" {
				if err := os.WriteFile(file, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := planFor(t, config.Config{Root: "/r", Args: map[lab.Component][]lab.Override{lab.APIServer: overrides(test.setting)}})
			got, err := noAnonymous(p)
			if !strings.HasPrefix(got, test.want) || (test.want == "") != (got == "") || (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %q, %v, want %q, %q", got, err, test.want, test.err)
			}
		})
	}
}

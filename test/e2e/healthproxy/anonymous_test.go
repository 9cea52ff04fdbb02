// SPDX-License-Identifier: Apache-2.0

package healthproxy

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// livezForAll lets everybody ask for /livez, and nothing else.
const livezForAll = `kind: AuthenticationConfiguration
apiVersion: apiserver.config.k8s.io/v1
anonymous:
  enabled: true
  conditions:
  - path: /livez
`

func TestHealthChecksNeedNoAnonymousAccess(t *testing.T) {
	e := harness.New(t)
	config := e.Path("authentication.yaml")
	e.Must(os.WriteFile(config, []byte(livezForAll), 0o600))
	for name, setting := range map[string]string{
		"anonymous-off": "anonymous-auth=false",
		"always-allow":  "authorization-mode=AlwaysAllow",
		"other-paths":   "authentication-config=" + config,
	} {
		c := e.Controller(name, e.FreePorts())
		c.Args = []string{"--kube-apiserver-arg", setting}
		c.StartReady()
		if got := anonymously(c, "/healthz"); got != http.StatusUnauthorized {
			t.Errorf("%s: anonymously, /healthz answers %d, and the test shows nothing", name, got)
		}
		for _, path := range []string{"/healthz", "/", "/livez", "/readyz"} {
			mustAnswer(c, path, "200 ok")
		}
		c.AwaitStatus("ready: ")
		c.StopInOrder()
	}
}

// anonymously asks the apiserver itself without credentials, and returns the
// status code.
func anonymously(c *harness.Controller, path string) int {
	c.Helper()
	pem, err := os.ReadFile(c.Lab("ca.pem"))
	c.Must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	resp, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d%s", c.Ports.APIServer, path))
	c.Must(err)
	resp.Body.Close()
	return resp.StatusCode
}

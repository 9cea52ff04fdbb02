// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/version"
)

const getVersionPath = "GET /version"

// balancer is an apiserver whose load balancer is at an address of its own.
func balancer(t *testing.T) (w *fakeAPI, target func(address string) Target) {
	w = newFakeAPI(t)
	w.answers[getVersionPath] = version.Info{Major: "1", Minor: "37", GitVersion: "v1.37.2+khw"}
	return w, func(address string) Target {
		return Target{Kubeconfig: w.files.AdminKubeconfig, CA: w.files.CA, LoadBalancer: address}
	}
}

func TestVersionThroughTheLoadBalancer(t *testing.T) {
	w, target := balancer(t)
	here := w.server.Listener.Addr().String()
	r := checkVersion(t.Context(), target(here))
	wants(t, r, "", "")
	if got := strings.Join(r.output, ""); !strings.Contains(got, `"gitVersion":"v1.37.2+khw"`) {
		t.Errorf("it shows %s", got)
	}
	r = checkVersion(t.Context(), target(""))
	wants(t, r, "", "")
	if got := r.output[len(r.output)-1]; !strings.Contains(got, here) || !strings.Contains(got, "--address") {
		t.Errorf("without an address it says %q", got)
	}
}

func TestWhatLoadBalancersDoWrong(t *testing.T) {
	w, target := balancer(t)
	ok := http.HandlerFunc(w.answer)
	says := func(code int, body string) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, body, code) })
	}
	here := func(h http.Handler) func(*testing.T) string {
		return func(t *testing.T) string {
			return serveTLS(t, listen(t, "127.0.0.1:0"), w.files, h).Listener.Addr().String()
		}
	}
	for name, test := range map[string]struct {
		address       func(*testing.T) string
		problem, next string
	}{
		"no such name": {func(*testing.T) string { return "lb.invalid:6443" }, "https://lb.invalid:6443 is not a name", "aws elb describe-load-balancers"},
		"no listener":  {nobody, "refuses the connection", "make the listener (aws) or the forwarding rule (gcp) for port"},
		"a firewall": {func(t *testing.T) string { return listen(t, "127.0.0.1:0").Addr().String() },
			"does not answer in time", "the security group"},
		"nobody in service": {func(t *testing.T) string {
			l := listen(t, "127.0.0.1:0")
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					conn.Close()
				}
			}()
			return l.Addr().String()
		}, "ends the connection without a word", "health checks"},
		"plain HTTP": {func(t *testing.T) string {
			s := httptest.NewServer(ok)
			t.Cleanup(s.Close)
			return s.Listener.Addr().String()
		}, "does not speak TLS", "pass TCP through"},
		"another CA": {func(t *testing.T) string {
			return serveTLS(t, listen(t, "127.0.0.1:0"), files(t, 6443), ok).Listener.Addr().String()
		}, "a certificate of another CA: it is signed by CN=Kubernetes", "pass TCP through"},
		"the certificate lacks the name": {func(t *testing.T) string {
			return serveTLS(t, listen(t, "127.0.0.2:0"), w.files, ok).Listener.Addr().String()
		}, "does not name it; the certificate names kubernetes, kubernetes.default,", "sign kubernetes.pem anew with 127.0.0.2 among"},
		"503":             {here(says(503, "")), "/version answers 503 Service Unavailable", "health checks"},
		"502":             {here(says(502, "")), "502 Bad Gateway", "health checks"},
		"401":             {here(says(401, "")), "401 Unauthorized", "anonymous-auth"},
		"403":             {here(says(403, "")), "403 Forbidden", "system:public-info-viewer"},
		"404":             {here(says(404, "")), "404 Not Found", "whether it is an apiserver"},
		"a page":          {here(says(200, "hello")), "does not answer as an apiserver does", "port 6443"},
		"another version": {here(says(200, `{"gitVersion":"v1.10.2"}`)), "serves v1.10.2, and the apiserver here v1.37.2+khw", "another cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			wants(t, checkVersion(ctx, target(test.address(t))), test.problem, test.next)
		})
	}
}

func TestARefusalThatTheUserWantsIsNoFailure(t *testing.T) {
	w, target := balancer(t)
	here := w.server.Listener.Addr().String()
	for _, address := range []string{"", here} {
		wanted := target(address)
		wanted.NoAnonymous = "anonymous-auth=false is set"
		w.codes[getVersionPath] = http.StatusUnauthorized
		r := checkVersion(t.Context(), wanted)
		wants(t, r, "", "")
		if got := strings.Join(r.output, "\n"); !strings.Contains(got, here+"/version answers 401 Unauthorized: the lab's curl has no credentials, and anonymous-auth=false is set") {
			t.Errorf("through %q it shows %s", address, got)
		}
		wants(t, checkVersion(t.Context(), target(address)), "401 Unauthorized", "anonymous-auth")
		w.codes[getVersionPath] = http.StatusForbidden
		wants(t, checkVersion(t.Context(), wanted), "403 Forbidden", "system:public-info-viewer")
	}
}

func TestALoadBalancerIsCheckedWithoutTheApiserverHere(t *testing.T) {
	w, target := balancer(t)
	there := serveTLS(t, listen(t, "127.0.0.1:0"), w.files, http.HandlerFunc(w.answer)).Listener.Addr()
	w.server.Close()
	wants(t, checkVersion(t.Context(), target(there.(*net.TCPAddr).String())), "", "")
}

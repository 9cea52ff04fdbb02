// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// controller is one whose files `run` has made.
func controller(t *testing.T) *plan.Plan {
	t.Helper()
	p, err := plan.New(t.Context(), &config.Config{Root: t.TempDir(), AdvertiseAddress: "192.0.2.10"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := p.GenerateMissing(); err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, change *certs.Change, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := change.Write(time.Now()); err != nil {
		t.Fatal(err)
	}
}

func current(t *testing.T, p *plan.Plan) *certs.CARotation {
	t.Helper()
	r, err := certs.ReadCARotation(p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// server is a port of a controller with its present certificate, which believes what
// some CAs have signed: as etcd's, in the handshake, or as the apiserver's, after it.
func server(t *testing.T, p *plan.Plan, trusted []byte, etcd bool) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(p.Files.Cert, p.Files.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	auth := tls.RequestClientCert
	handler := apiServer(roots)
	if etcd {
		auth = tls.RequireAndVerifyClientCert
		handler = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/version" {
				w.WriteHeader(http.StatusNotFound)
			}
		}
	}
	s := httptest.NewUnstartedServer(handler)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: auth}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "https://")
}

// apiServer knows users by what roots have signed, as Kubernetes does.
func apiServer(roots *x509.CertPool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		shown := r.TLS.PeerCertificates
		if len(shown) == 0 {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		behind := x509.NewCertPool()
		for _, c := range shown[1:] {
			behind.AddCert(c)
		}
		if _, err := shown[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: behind, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var review authenticationv1.SelfSubjectReview
		review.Status.UserInfo.Username = shown[0].Subject.CommonName
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(review)
	}
}

// TestEvidence asks ports that trust the old CA only, both, or the next one only, and
// show a certificate of the one or the other.
func TestEvidence(t *testing.T) {
	p := controller(t)
	old := read(t, p.Files.CA)
	change, err := certs.BeginCARotation(p, nil, time.Now())
	write(t, change, err)
	both := read(t, p.Files.CA)
	beforeSigning := current(t, p)
	next, err := beforeSigning.TrustNext(both)
	if err != nil {
		t.Fatal(err)
	}
	type port struct {
		name          string
		address       string
		trusts, shows bool
		etcd          bool
	}
	var ports []port
	add := func(shows bool) {
		for name, trusted := range map[string][]byte{"old": old, "both": both, "next": next} {
			for _, etcd := range []bool{false, true} {
				ports = append(ports, port{name, server(t, p, trusted, etcd), name != "old", shows, etcd})
			}
		}
	}
	add(false)
	change, err = beforeSigning.Sign(time.Now())
	write(t, change, err)
	add(true)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()

	probe, err := newProbe(current(t, p), both)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range ports {
		o := Controller{Name: "one", APIServer: port.address}
		want := 1
		if port.etcd {
			o, want = Controller{Name: "one", APIServer: closed.Listener.Addr().String(), Etcd: []string{"https://" + port.address}}, 2
		}
		evidence := probe.evidence(t.Context(), []Controller{o})
		if len(evidence) != want {
			t.Fatalf("got %+v", evidence)
		}
		if got := evidence[want-1]; got.Trusts != port.trusts || got.Shows != port.shows || got.Problem != "" || got.Etcd != port.etcd {
			t.Errorf("%+v: got %+v", port, got)
		}
		if port.etcd && !strings.Contains(evidence[0].Problem, "nobody listens") {
			t.Errorf("a closed port: %+v", evidence[0])
		}
	}
}

// TestAnybodyIsNotTrusted asks an apiserver that takes who it does not know for
// anybody.
func TestAnybodyIsNotTrusted(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var review authenticationv1.SelfSubjectReview
		review.Status.UserInfo.Username = "system:anonymous"
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(s.Close)
	if trusts, err := askAPIServer(t.Context(), s.Client(), s.URL); trusts || err != nil {
		t.Errorf("got %t, %v", trusts, err)
	}
}

// TestMaySign is about which evidence counts for what.
func TestMaySign(t *testing.T) {
	good := Evidence{Controller: "a", Of: "https://a", Trusts: true, Here: true}
	for name, test := range map[string]struct {
		evidence []Evidence
		says     string
		onlyHere bool
	}{
		"all trust it":               {[]Evidence{good, {Controller: "b", Trusts: true}}, "", true},
		"etcd is asked after a step": {[]Evidence{good, {Controller: "a", Etcd: true}}, "", true},
		"one does not":               {[]Evidence{good, {Controller: "b", Of: "https://b"}}, "b (https://b) does not trust it", false},
		"one does not answer":        {[]Evidence{good, {Controller: "b", Of: "https://b", Problem: "is away"}}, "b (https://b) is away", false},
		"not yet here":               {[]Evidence{{Controller: "a", Of: "https://a", Here: true}}, "a (https://a) does not trust it", true},
		"nothing runs here":          {[]Evidence{{Controller: "a", Of: "https://a", Here: true, Problem: "is away"}}, "is away", false},
	} {
		c := &CA{}
		err := c.MaySign(test.evidence)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v", name, err)
		}
		if got := c.OnlyHere(test.evidence); got != test.onlyHere {
			t.Errorf("%s: only here: %t", name, got)
		}
	}
	if err := (&CA{}).MayUndo([]Evidence{good, {Controller: "b", Of: "https://b", Shows: true}}); err == nil || !strings.Contains(err.Error(), "b (https://b) shows a certificate of the next CA already") {
		t.Errorf("got %v", err)
	}
}

// TestNothingRunsHere wants everything that has to ask the cluster to say so.
func TestNothingRunsHere(t *testing.T) {
	p := controller(t)
	if err := MayBegin(t.Context(), p); err == nil || !strings.Contains(err.Error(), "systemctl start khw-controller") {
		t.Errorf("begin: %v", err)
	}
	change, err := certs.BeginCARotation(p, nil, time.Now())
	write(t, change, err)
	if _, err := OpenCA(t.Context(), p, current(t, p)); err == nil || !strings.Contains(err.Error(), "systemctl start khw-controller") {
		t.Errorf("open: %v", err)
	}
	if change, err := Continue(t.Context(), p); err == nil || change != nil {
		t.Errorf("continue: %v, %v", change, err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"k8s.io/apiserver/pkg/features"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/routes"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// TestOpenAPIIsWhatUpstreamServes builds the servers, which serve nobody,
// and compares their documents with those that upstream's PrepareRun installs.
func TestOpenAPIIsWhatUpstreamServes(t *testing.T) {
	key := signingKey(t)
	o, err := Parse([]string{
		"--etcd-servers=" + startEtcd(t), "--advertise-address=192.0.2.10", "--cert-dir=" + t.TempDir(), "--service-cluster-ip-range=10.32.0.0/24",
		"--service-account-issuer=https://10.32.0.1", "--service-account-key-file=" + key, "--service-account-signing-key-file=" + key,
	})
	must(t, err)
	o.SecureServing.Listener, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer o.SecureServing.Listener.Close()
	o.Etcd.SkipHealthEndpoints = true
	name, err := cache.NewInformerName("openapi")
	must(t, err)
	defer name.Release()
	completed, err := o.complete(t.Context(), name)
	must(t, err)
	must(t, utilfeature.DefaultMutableFeatureGate.Set(string(features.UnknownVersionInteroperabilityProxy)+"=false"))
	config, err := app.NewConfig(completed)
	must(t, err)
	postponeOpenAPI(config.KubeAPIs)
	chained, err := config.Complete()
	must(t, err)
	server, err := app.CreateServerChain(chained)
	must(t, err)
	defer server.GenericAPIServer.Destroy()
	kube := server.GenericAPIServer.NextDelegate().(*genericapiserver.GenericAPIServer)
	generic := config.KubeAPIs.ControlPlane.Generic
	must(t, installOpenAPI(server.GenericAPIServer, generic))
	_, err = server.PrepareRun()
	must(t, err)
	if kube.StaticOpenAPISpec != nil {
		t.Error("PrepareRun has built what was postponed")
	}

	upstream := mux.NewPathRecorderMux("upstream")
	routes.OpenAPI{Config: generic.OpenAPIConfig}.InstallV2(kube.Handler.GoRestfulContainer, upstream)
	routes.OpenAPI{V3Config: generic.OpenAPIV3Config}.InstallV3(kube.Handler.GoRestfulContainer, upstream)
	for _, path := range []string{"/openapi/v2", "/openapi/v3", "/openapi/v3/api/v1", "/openapi/v3/apis/apps/v1"} {
		got, want := body(kube.Handler.NonGoRestfulMux, path), body(upstream, path)
		if len(want) < 1000 || !slices.Equal(got, want) {
			t.Errorf("%s: it serves %d bytes that are not upstream's, which are %d", path, len(got), len(want))
		}
	}
	aggregator := server.GenericAPIServer.Handler.NonGoRestfulMux
	for path, want := range map[string]string{
		"/openapi/v2": "io.k8s.api.core.v1.Pod", "/openapi/v3": "apis/apps/v1", "/openapi/v3/api/v1": "io.k8s.api.core.v1.Pod",
	} {
		if got := body(aggregator, path); !strings.Contains(string(got), want) {
			t.Errorf("%s: the aggregator serves %d bytes without %s", path, len(got), want)
		}
	}
}

func body(h http.Handler, path string) []byte {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Body.Bytes()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func signingKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	path := filepath.Join(t.TempDir(), "key.pem")
	must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600))
	return path
}

func TestDocumentsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		built := 0
		o := &onDemand{build: func() http.Handler { built++; return http.NotFoundHandler() }}
		ask := func(want int) {
			t.Helper()
			if body(o, "/"); built != want {
				t.Errorf("built %d times, want %d", built, want)
			}
		}
		ask(1)
		time.Sleep(documentsKept - time.Second)
		ask(1)
		time.Sleep(documentsKept - time.Second) // since the last question
		ask(1)
		time.Sleep(documentsKept)
		synctest.Wait()
		if o.built != nil {
			t.Error("what nobody asks for is kept")
		}
		ask(2)
	})
}

func TestTheListIsMadeOnce(t *testing.T) {
	built := 0
	list := listOf(func() http.Handler {
		built++
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"x"`)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(r.URL.Path)) // into memory
		})
	})
	for _, test := range []struct {
		etag, want string
		status     int
	}{{"", "/openapi/v3", http.StatusOK}, {`"x"`, "", http.StatusNotModified}, {`"y"`, "/openapi/v3", http.StatusOK}} {
		r, w := httptest.NewRequest(http.MethodGet, "/openapi/v3", nil), httptest.NewRecorder()
		if r.Header.Set("If-None-Match", test.etag); test.etag == "" {
			r.Header.Del("If-None-Match")
		}
		list.ServeHTTP(w, r)
		if w.Code != test.status || w.Body.String() != test.want || w.Header().Get("Etag") != `"x"` {
			t.Errorf("%s: %d %s %v", test.etag, w.Code, w.Body, w.Header())
		}
	}
	if built != 1 {
		t.Errorf("it was built %d times", built)
	}
}

// startEtcd starts a member, which the servers wait for, and returns where it is.
func startEtcd(t *testing.T) string {
	t.Helper()
	c := embed.NewConfig()
	c.Dir, c.Name = t.TempDir(), "a"
	c.ListenClientUrls, c.ListenPeerUrls = []url.URL{free(t)}, []url.URL{free(t)}
	c.AdvertiseClientUrls, c.AdvertisePeerUrls = c.ListenClientUrls, c.ListenPeerUrls
	c.InitialCluster = "a=" + c.ListenPeerUrls[0].String()
	c.TickMs, c.ElectionMs = 20, 100
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	member, err := embed.StartEtcd(c)
	must(t, err)
	t.Cleanup(member.Close)
	select {
	case <-member.Server.ReadyNotify():
	case <-time.After(time.Minute):
		t.Fatal("the member does not serve")
	}
	return c.ListenClientUrls[0].String()
}

func free(t *testing.T) url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return url.URL{Scheme: "http", Host: l.Addr().String()}
}

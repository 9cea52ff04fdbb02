// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/routes"
	"k8s.io/kubernetes/pkg/controlplane"
)

// documentsKept is how long OpenAPI documents are kept after somebody has asked for one.
const documentsKept = 10 * time.Minute

// Where the documents are.
const (
	openAPIV2 = "/openapi/v2"
	openAPIV3 = "/openapi/v3" // the list of them, and below it one for each version of a group
)

// postponeOpenAPI keeps PrepareRun from building the OpenAPI documents of Kubernetes'
// own types; [installOpenAPI] takes its place.
func postponeOpenAPI(config *controlplane.Config) {
	config.ControlPlane.Generic.SkipOpenAPIInstallation = true
}

// installOpenAPI serves the OpenAPI documents of the server behind the aggregator, as
// its PrepareRun would (k8s.io/apiserver/pkg/server/genericapiserver.go, PrepareRun), but builds
// them when somebody asks and does not keep them for ever
// (docs/decisions/0014-memory-and-start.md). config is that server's.
func installOpenAPI(aggregator *genericapiserver.GenericAPIServer, config *genericapiserver.Config) error {
	server, ok := aggregator.NextDelegate().(*genericapiserver.GenericAPIServer)
	if !ok {
		return errors.New("the server behind the aggregator is not a generic apiserver")
	}
	container, served := server.Handler.GoRestfulContainer, server.Handler.NonGoRestfulMux
	if config.OpenAPIConfig != nil {
		served.Handle(openAPIV2, &onDemand{build: func() http.Handler {
			m := mux.NewPathRecorderMux("openapi-v2")
			routes.OpenAPI{Config: config.OpenAPIConfig}.InstallV2(container, m)
			return m
		}})
	}
	if config.OpenAPIV3Config != nil {
		build := func() http.Handler {
			m := mux.NewPathRecorderMux("openapi-v3")
			routes.OpenAPI{V3Config: config.OpenAPIV3Config}.InstallV3(container, m)
			return m
		}
		served.HandlePrefix(openAPIV3+"/", &onDemand{build: build})
		served.Handle(openAPIV3, listOf(build))
	}
	return nil
}

// onDemand is a handler that is built when somebody asks, and forgotten when nobody has
// for a while.
type onDemand struct {
	build func() http.Handler

	mu     sync.Mutex
	built  http.Handler
	forget *time.Timer
}

// ServeHTTP implements [http.Handler].
func (o *onDemand) ServeHTTP(w http.ResponseWriter, r *http.Request) { o.handler().ServeHTTP(w, r) }

func (o *onDemand) handler() http.Handler {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.built == nil {
		o.built = o.build()
		o.forget = time.AfterFunc(documentsKept, func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.built = nil
		})
	}
	o.forget.Reset(documentsKept)
	return o.built
}

// listOf is the list of the documents of version 3. The aggregator asks for it at the
// start and every second (k8s.io/kube-aggregator/pkg/controllers/openapiv3), for which
// upstream looks at each document in goroutines of its own. It has the hashes of all of
// them: they are built for it once, and not kept.
func listOf(build func() http.Handler) http.Handler {
	list := sync.OnceValue(func() *answer {
		a := &answer{header: http.Header{}, at: time.Now()}
		build().ServeHTTP(a, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: openAPIV3}, Header: http.Header{}})
		return a
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { list().serve(w, r) })
}

// answer is an answer of a handler, to be given again.
type answer struct {
	header http.Header
	body   bytes.Buffer
	at     time.Time
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// Write implements [http.ResponseWriter].
func (a *answer) Write(data []byte) (int, error) { return a.body.Write(data) }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(int) {}

func (a *answer) serve(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{"Etag", "Content-Type"} {
		w.Header().Set(name, a.header.Get(name))
	}
	http.ServeContent(w, r, "", a.at, bytes.NewReader(a.body.Bytes()))
}

// SPDX-License-Identifier: Apache-2.0

package healthz

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// apiServer is a Backend over HTTPS.
type apiServer struct {
	base   string
	token  string
	caFile string
	now    func() time.Time

	mu        sync.Mutex
	ca        []byte // what caFile held
	client    *http.Client
	connected time.Time // since when connections are kept
}

// reconnectAfter is how long a connection is kept. Who keeps one never sees that
// the certificate at its other end has expired or was replaced, nor that the CA
// was; a handshake at this pace costs nothing that can be measured.
const reconnectAfter = 10 * time.Second

// NewBackend returns the Backend for the apiserver at address (host:port), whose
// certificate has to be signed by a CA in caFile; that is read again while it is
// in use. It asks as the user of the bearer token: one who may ask for health and
// nothing else, because nobody else may have to. The token is sent only to who has
// shown such a certificate.
func NewBackend(address, caFile, token string) (Backend, error) {
	return newAPIServer(address, caFile, token, time.Now)
}

func newAPIServer(address, caFile, token string, now func() time.Time) (*apiServer, error) {
	a := &apiServer{base: "https://" + address, token: token, caFile: caFile, now: now}
	return a, a.load()
}

// load takes over what caFile holds, if that can be used.
func (a *apiServer) load() error {
	a.connected = a.now()
	pem, err := os.ReadFile(a.caFile)
	if err != nil || bytes.Equal(pem, a.ca) {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s: holds no certificate; point --kube-apiserver-arg client-ca-file to the CA", a.caFile)
	}
	a.ca = pem
	a.client = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, Time: a.now},
			DialContext:            (&net.Dialer{Timeout: slowAfter}).DialContext,
			MaxConnsPerHost:        6, // what hangs for probeTimeout at pace, and one
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 16 << 10,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// current returns the client to ask with, without connections that are too old. A
// file of CAs that cannot be used is for `status` to tell: the former CAs are
// trusted, as Kubernetes does with its own.
func (a *apiServer) current() *http.Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now().Sub(a.connected) >= reconnectAfter {
		a.client.CloseIdleConnections()
		_ = a.load()
	}
	return a.client
}

// maxBody bounds what is read of an answer, in bytes; a failing /readyz lists
// its checks in about 2 KiB.
const maxBody = 64 << 10

// etcdCheck begins the line of a failing check of etcd: its name is etcd, and in
// /readyz etcd-readiness too.
const etcdCheck = "[-]etcd"

// Ask implements Backend.
func (a *apiServer) Ask(ctx context.Context, path string) (Verdict, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, http.NoBody)
	if err != nil {
		return Unreachable, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := a.current().Do(req)
	if err != nil {
		return verdictOf(err), err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	switch {
	case err != nil:
		return verdictOf(err), err
	case resp.StatusCode == http.StatusOK:
		return OK, nil
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return Refused, fmt.Errorf("%s answers %s", path, resp.Status)
	case strings.Contains(string(body), etcdCheck):
		return Etcd, nil
	}
	return Unhealthy, nil
}

func verdictOf(err error) Verdict {
	reason, _ := connerr.Explain(err)
	switch {
	case reason.IsServerCertificate():
		return Certificate
	case reason == connerr.NoAnswer:
		return Hung
	}
	return Unreachable
}

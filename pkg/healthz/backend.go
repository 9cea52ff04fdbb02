// SPDX-License-Identifier: Apache-2.0

package healthz

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// apiServer is a Backend over HTTPS.
type apiServer struct {
	client *http.Client
	base   string
	token  string
}

// NewBackend returns the Backend for the apiserver at address (host:port), whose
// certificate has to be signed by a CA in caFile. It asks as the user of the bearer
// token: one who may ask for health and nothing else, because nobody else may
// have to. The token is sent only to who has shown such a certificate.
func NewBackend(address, caFile, token string) (Backend, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: holds no certificate; point --kube-apiserver-arg client-ca-file to the CA", caFile)
	}
	transport := &http.Transport{
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext:            (&net.Dialer{Timeout: slowAfter}).DialContext,
		MaxConnsPerHost:        2, // one, and one to replace it when it hangs
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 16 << 10,
		DisableCompression:     true,
	}
	return &apiServer{
		base:  "https://" + address,
		token: token,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
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
	resp, err := a.client.Do(req)
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

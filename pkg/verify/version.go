// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/version"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// ParseAddress reads an address as people write it, host or host:port, and
// returns it with a port.
func ParseAddress(s, defaultPort string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.Trim(s, "[]"), defaultPort
	}
	n, portErr := strconv.Atoi(port)
	if host == "" || strings.ContainsAny(host, "/[]@ ") || strings.Contains(host, ":") && net.ParseIP(host) == nil || portErr != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("%q: want the load balancer's name or address, with :port if it is not %s, and without https://", s, defaultPort)
	}
	return net.JoinHostPort(host, port), nil
}

// checkVersion is the lab's `curl --cacert ca.pem https://…:6443/version`,
// through the load balancer when there is one.
func checkVersion(ctx context.Context, t Target) checkResult {
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return failed(connerr.OneLine(err), "correct --kube-apiserver-arg client-ca-file")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return failed(t.CA+" holds no certificate", "correct --kube-apiserver-arg client-ca-file")
	}
	here := ""
	a, bad := newAPI(t)
	if bad == nil {
		here = a.server
	}
	if t.LoadBalancer == "" {
		if bad != nil {
			return bad.result()
		}
		return a.version(ctx, t, roots)
	}
	return versionThrough(ctx, t, here, roots)
}

// version wants /version as everybody sees it, past any load balancer.
func (a *api) version(ctx context.Context, t Target, roots *x509.CertPool) checkResult {
	got, raw, err := getVersion(ctx, a.server, roots)
	var wrong statusError
	switch {
	case errors.As(err, &wrong) && t.wants(wrong):
		return t.refused(a.server, wrong)
	case errors.As(err, &wrong):
		return failed(a.server+"/version answers "+wrong.Error(), nextForStatus(int(wrong)))
	case err != nil:
		return a.explain(err).result()
	case got.GitVersion == "":
		return failed(a.server+"/version does not answer as an apiserver does", "correct the server in "+a.kubeconfig)
	}
	return checkResult{output: append(lines(raw), "asked at "+a.server+"; --address LB asks through the load balancer")}
}

func lines(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") }

// wants reports whether a setting of the user's makes an apiserver answer so.
func (t Target) wants(s statusError) bool { return s == http.StatusUnauthorized && t.NoAnonymous != "" }

// refused is the result where an apiserver of this CA refuses the lab's curl, as
// it was told to.
func (t Target) refused(server string, s statusError) checkResult {
	return checkResult{output: []string{
		fmt.Sprintf("%s/version answers %s: the lab's curl has no credentials, and %s", server, s.Error(), t.NoAnonymous),
		"it is an apiserver of the CA in " + t.CA + "; its version is not shown to everybody",
	}}
}

// versionThrough wants /version of the load balancer, which leads to the apiserver
// at here too, unless that is empty.
func versionThrough(ctx context.Context, t Target, here string, roots *x509.CertPool) checkResult {
	server, ca := "https://"+t.LoadBalancer, t.CA
	got, raw, err := getVersion(ctx, server, roots)
	var wrong statusError
	switch {
	case errors.As(err, &wrong) && t.wants(wrong):
		return t.refused(server, wrong)
	case errors.As(err, &wrong):
		return failed(server+"/version answers "+wrong.Error(), nextForStatus(int(wrong)))
	case err != nil:
		reason, words := connerr.Explain(err)
		return failed(server+" "+words, nextForBalancer(reason, server, ca))
	case got.GitVersion == "":
		return failed(server+"/version does not answer as an apiserver does", "see whether the load balancer leads to port 6443 of the controllers")
	}
	r := checkResult{output: lines(raw)}
	if here == "" {
		return r
	}
	// When the apiserver here does not answer, other steps say so.
	if own, _, err := getVersion(ctx, here, roots); err == nil && own.GitVersion != got.GitVersion {
		r.fail(fmt.Sprintf("%s serves %s, and the apiserver here %s", server, got.GitVersion, own.GitVersion),
			"see which instances the load balancer sends to: those of another cluster, or of an update that is not complete?")
	}
	return r
}

// statusError is an HTTP status other than 200.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("%d %s", int(s), http.StatusText(int(s))) }

func getVersion(ctx context.Context, server string, roots *x509.CertPool) (v version.Info, raw string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/version", http.NoBody)
	if err != nil {
		return v, "", err
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return v, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return v, "", err
	}
	if resp.StatusCode != http.StatusOK {
		return v, "", statusError(resp.StatusCode)
	}
	// What is no version has no GitVersion, whatever it is.
	_ = json.Unmarshal(body, &v)
	return v, string(body), nil
}

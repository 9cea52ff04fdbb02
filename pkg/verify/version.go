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
	"net/url"
	"os"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/version"
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

// lookAtVersion is the lab's `curl --cacert ca.pem https://…:6443/version`,
// through the load balancer when there is one.
func lookAtVersion(ctx context.Context, t Target) observation {
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return failed(oneLine(err), "correct --kube-apiserver-arg client-ca-file")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return failed(t.CA+" holds no certificate", "correct --kube-apiserver-arg client-ca-file")
	}
	here := ""
	a, bad := newAPI(t.Kubeconfig)
	if bad == nil {
		here = a.server
	}
	if t.LoadBalancer == "" {
		if bad != nil {
			return observation{findings: []Finding{*bad}}
		}
		o := askVersion(ctx, here, "", roots, t.CA)
		o.output = append(o.output, "asked at "+here+"; --address LB asks through the load balancer")
		return o
	}
	return askVersion(ctx, "https://"+t.LoadBalancer, here, roots, t.CA)
}

// askVersion wants /version of server; with here, as a load balancer's that
// leads to the apiserver at here too.
func askVersion(ctx context.Context, server, here string, roots *x509.CertPool, ca string) observation {
	got, raw, err := getVersion(ctx, server, roots)
	var wrong statusError
	switch {
	case errors.As(err, &wrong):
		return failed(server+"/version answers "+wrong.Error(), nextForStatus(int(wrong)))
	case err != nil:
		kind, words := diagnose(err)
		return failed(server+" "+words, nextForVersion(kind, server, ca))
	case got.GitVersion == "":
		return failed(server+"/version does not answer as an apiserver does", "see whether the load balancer leads to port 6443 of the controllers")
	}
	o := observation{output: strings.Split(strings.TrimSpace(raw), "\n")}
	if here == "" {
		return o
	}
	// When the apiserver here does not answer, other steps say so.
	if own, _, err := getVersion(ctx, here, roots); err == nil && own.GitVersion != got.GitVersion {
		o.find(fmt.Sprintf("%s serves %s, and the apiserver here %s", server, got.GitVersion, own.GitVersion),
			"see which instances the load balancer sends to: those of another cluster, or of an update that is not complete?")
	}
	return o
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

func nextForStatus(code int) string {
	switch code {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "no controller is in service: see the load balancer's health checks and the step health proxy, and that its listener passes TCP through"
	case http.StatusUnauthorized:
		return "the lab's curl has no certificate: take --kube-apiserver-arg anonymous-auth=false back, or do without this step"
	case http.StatusForbidden:
		return "everybody may read /version by the ClusterRoleBinding system:public-info-viewer: restart khw-controller, which makes it anew"
	}
	return "see whether it is an apiserver that answers there"
}

func nextForVersion(kind fault, server, ca string) string {
	host, port := server, ""
	if u, err := url.Parse(server); err == nil {
		host, port = u.Hostname(), u.Port()
	}
	switch kind {
	case noSuchName:
		return "correct --address: aws elb describe-load-balancers --query 'LoadBalancerDescriptions[].DNSName', or gcloud compute addresses describe kubernetes-the-hard-way"
	case refused:
		return "make the listener (aws) or the forwarding rule (gcp) for port " + port + ", and see whether a controller is in service there"
	case silent:
		return "let tcp:" + port + " in: the security group of the load balancer and of the controllers (aws), or the firewall rule (gcp); and see the health checks"
	case noRoute:
		return "see the way from here to " + host + ": routes, firewall, an internal load balancer"
	case closed:
		return "no controller is in service: see the load balancer's health checks and the step health proxy"
	case notTLS:
		return "make the listener pass TCP through, as in the lab: the apiserver itself ends TLS"
	case wrongCA:
		return "make the listener pass TCP through (not TLS or HTTPS), or see whether it leads to the cluster of " + ca
	case wrongName:
		return "sign kubernetes.pem anew with " + host + " among the names of -hostname, as in lab chapter 04, on every controller"
	case outOfDate:
		return "sign kubernetes.pem anew as in lab chapter 04, or set this machine's clock"
	}
	return "try it by hand: curl -v --cacert " + ca + " " + server + "/version"
}

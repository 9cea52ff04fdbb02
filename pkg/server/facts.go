// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"slices"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/status"
)

// certificates lists the certificates in use, the one that expires first at the
// top. Files without any, such as a bare public key, are passed over; unreadable
// ones are preflight's to judge.
func (p *Plan) certificates() []status.Certificate {
	api, kcm := p.Settings[lab.APIServer], p.Settings[lab.ControllerManager]
	paths := []string{
		lab.Get(api, "client-ca-file"), lab.Get(api, "etcd-cafile"), lab.Get(api, "kubelet-certificate-authority"),
		lab.Get(api, "tls-cert-file"), lab.Get(api, "etcd-certfile"), lab.Get(api, "kubelet-client-certificate"),
		lab.Get(kcm, "cluster-signing-cert-file"), lab.Get(kcm, "root-ca-file"),
	}
	kubeconfigs := []string{p.Files.ControllerManagerKubeconfig, p.Files.SchedulerKubeconfig, p.Files.AdminKubeconfig}
	var all []status.Certificate
	for path := range unique(paths) {
		if certs, err := cert.CertsFromFile(path); err == nil {
			all = append(all, certificate(path, certs[0]))
		}
	}
	for path := range unique(kubeconfigs) {
		if c, err := clientCertificate(path); err == nil {
			all = append(all, certificate(path, c))
		}
	}
	slices.SortStableFunc(all, func(a, b status.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	return all
}

// unique goes through paths, each once; the lab names one file in several flags.
func unique(paths []string) iter.Seq[string] {
	return slices.Values(slices.Compact(slices.Sorted(slices.Values(paths))))
}

func certificate(path string, c *x509.Certificate) status.Certificate {
	return status.Certificate{Path: path, Subject: c.Subject.CommonName, NotAfter: c.NotAfter}
}

// clientCertificate returns with what a kubeconfig's user introduces itself.
func clientCertificate(kubeconfig string) (*x509.Certificate, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	data := config.CertData
	if len(data) == 0 {
		certs, err := cert.CertsFromFile(config.CertFile)
		if err != nil {
			return nil, err
		}
		return certs[0], nil
	}
	certs, err := cert.ParseCertsPEM(data)
	if err != nil {
		return nil, err
	}
	return certs[0], nil
}

// labCount counts what became of the lab's flags here.
func (p *Plan) labCount() status.Lab {
	out := status.Lab{Set: []string{}}
	for _, r := range lab.Rows(p.Settings, p.Dropped) {
		switch {
		case r.Source != "" && r.Source != lab.FromLab && r.Source != lab.FromAdded && r.Source != embeddedEtcd && r.Status != lab.Replaced:
			out.Set = append(out.Set, fmt.Sprintf("%s %s", r.Component, r.Arg()))
		case r.Status == lab.Kept:
			out.AsInLab++
		default:
			out.Changed++
		}
	}
	return out
}

// portTimeout is what the health port may take to answer; it promises 3 s.
const portTimeout = 3 * time.Second

// healthPort asks the health port as a load balancer would; nil where there is
// none.
func (o *observer) healthPort(ctx context.Context) *status.HealthPort {
	address := o.plan.HealthAddress()
	if address == "" {
		return nil
	}
	out := &status.HealthPort{Address: address, Answer: "nothing"}
	ctx, cancel := context.WithTimeout(ctx, portTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", http.NoBody)
	if err != nil {
		return out
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return out
	}
	defer resp.Body.Close()
	if word, err := io.ReadAll(io.LimitReader(resp.Body, 64)); err == nil {
		out.Answer = string(word)
	}
	return out
}

// reachable is where a client on this machine reaches what listens on address.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

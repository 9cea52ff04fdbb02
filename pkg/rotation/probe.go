// SPDX-License-Identifier: Apache-2.0

package rotation

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// Evidence is what one port of a controller shows of the rotation of the CA.
type Evidence struct {
	Controller string `json:"controller"`
	// Of is the URL.
	Of string `json:"url"`
	// Etcd tells that it is a member's, and not the apiserver's; External, that no
	// controller runs it.
	Etcd     bool `json:"etcd"`
	External bool `json:"external,omitempty"`
	Here     bool `json:"here"`
	// Trusts tells that who has a certificate of the next CA, and shows nothing else, is
	// believed.
	Trusts bool `json:"trustsNext"`
	// Shows tells that its own certificate is the next CA's.
	Shows bool `json:"showsNext"`
	// Problem is why it could not be asked, or empty.
	Problem string `json:"problem,omitempty"`
}

// probe is how ports are asked: with a certificate of the next CA.
type probe struct {
	rotation *certs.CARotation
	trusted  *x509.CertPool
	client   tls.Certificate
}

func newProbe(r *certs.CARotation, trusted []byte) (*probe, error) {
	p := &probe{rotation: r, trusted: x509.NewCertPool()}
	p.trusted.AppendCertsFromPEM(trusted)
	p.trusted.AddCert(r.Next.Certificate())
	cert, key, err := r.Next.Client(userName, nil, time.Now())
	if err != nil {
		return nil, err
	}
	p.client, err = tls.X509KeyPair(cert, key)
	return p, err
}

// evidence asks every port of every controller at once.
func (p *probe) evidence(ctx context.Context, all []Controller) []Evidence {
	var evidence []Evidence
	for _, o := range all {
		if !o.External {
			evidence = append(evidence, Evidence{Controller: o.Name, Of: "https://" + o.APIServer, Here: o.Here})
		}
		for _, u := range o.Etcd {
			evidence = append(evidence, Evidence{Controller: o.Name, Of: u, Etcd: true, External: o.External, Here: o.Here})
		}
	}
	var wg sync.WaitGroup
	for i := range evidence {
		wg.Go(func() { p.ask(ctx, &evidence[i]) })
	}
	wg.Wait()
	return evidence
}

func (p *probe) ask(ctx context.Context, e *Evidence) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var shows atomic.Bool // a handshake may outlast the question
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: p.trusted,
		// It is shown whether or not the server says that it believes such a one.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &p.client, nil },
		VerifyConnection: func(s tls.ConnectionState) error {
			shows.Store(p.rotation.Next.Signed(s.PeerCertificates[0]))
			return nil
		},
	}}
	defer transport.CloseIdleConnections()
	ask := askAPIServer
	if e.Etcd {
		ask = askEtcd
	}
	trusts, err := ask(ctx, &http.Client{Transport: transport}, e.Of)
	e.Trusts, e.Shows = trusts, shows.Load()
	if err == nil {
		return
	}
	reason, words := connerr.Explain(err)
	if reason != connerr.ClientCertRefused {
		e.Problem = words
	}
}

// askAPIServer asks who one is there.
func askAPIServer(ctx context.Context, client *http.Client, url string) (trusts bool, err error) {
	body, err := json.Marshal(authenticationv1.SelfSubjectReview{
		TypeMeta: metav1.TypeMeta{APIVersion: authenticationv1.SchemeGroupVersion.String(), Kind: "SelfSubjectReview"},
	})
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/apis/authentication.k8s.io/v1/selfsubjectreviews", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusCreated, http.StatusOK:
		var review authenticationv1.SelfSubjectReview
		if err := json.NewDecoder(resp.Body).Decode(&review); err != nil {
			return false, err
		}
		return review.Status.UserInfo.Username == userName, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return false, nil // it does not know us, or takes us for anybody
	}
	return false, fmt.Errorf("it answers %s", resp.Status)
}

// askEtcd asks for the version, which is told to who has a certificate.
func askEtcd(ctx context.Context, client *http.Client, url string) (trusts bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/version", http.NoBody)
	if err != nil {
		return false, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, err
	}
	if resp.StatusCode != http.StatusOK {
		err = errors.New("it answers " + resp.Status)
	}
	return err == nil, errors.Join(err, resp.Body.Close())
}

// SPDX-License-Identifier: Apache-2.0

// Package rotation asks every controller of a cluster how far the rotation of its CA,
// or of the key of service account tokens, is in force there: whom it believes, and
// what it shows, over the network and whatever its files say. No step is taken
// before the one before it is in force everywhere.
package rotation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/status"
)

// userName is as whom the controllers are asked.
const userName = "khw-controller"

// patience is what one of them may take to answer.
const patience = 5 * time.Second

// Cluster is the controllers of a cluster, to be asked as an administrator.
type Cluster struct {
	plan *plan.Plan
	// config reaches this controller's apiserver.
	config *restclient.Config
	// Controllers are all of them, this one first.
	Controllers []Controller
}

// Controller is one that is asked.
type Controller struct {
	// Name is its name in --controllers, else its address.
	Name string
	// APIServer is host:port.
	APIServer string
	// Etcd are the URLs of its embedded member, for clients and for the other members.
	Etcd []string
	// Here tells that it is this one.
	Here bool
	// External tells that it is etcd, with members and files of its own.
	External bool

	host string // of another one of --controllers
}

// signer makes the certificate as which the controllers are asked.
type signer func(user string, groups []string, now time.Time) (cert, key []byte, err error)

// find returns the controllers: those of --controllers, and those to which the
// service kubernetes leads, so that one that does not answer is not forgotten.
func find(ctx context.Context, p *plan.Plan, client signer) (*Cluster, error) {
	cert, key, err := client(userName, []string{user.SystemPrivilegedGroup}, time.Now())
	if err != nil {
		return nil, err
	}
	trusted, err := os.ReadFile(p.Files.CA)
	if err != nil {
		return nil, err
	}
	c := &Cluster{plan: p, config: &restclient.Config{
		Host: "https://" + p.APIServerAddress(), Timeout: patience,
		TLSClientConfig: restclient.TLSClientConfig{CAData: trusted, CertData: cert, KeyData: key},
		Proxy:           func(*http.Request) (*url.URL, error) { return nil, nil },
	}}
	c.Controllers = []Controller{{Name: c.nameOf(p.AdvertiseAddress), APIServer: p.APIServerAddress(), Here: true}}
	for _, o := range p.Controllers {
		if o == p.Self {
			continue
		}
		c.Controllers = append(c.Controllers, Controller{
			Name: o.Name, APIServer: net.JoinHostPort(o.Address.String(), strconv.Itoa(p.Port)), host: o.Address.String(),
		})
	}
	report, err := ask(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, address := range report.Controllers {
		if address != report.Address && !slices.ContainsFunc(c.Controllers, func(o Controller) bool { return o.APIServer == address }) {
			c.Controllers = append(c.Controllers, Controller{Name: address, APIServer: address})
		}
	}
	return c, nil
}

// ask has this controller's process report.
func ask(ctx context.Context, p *plan.Plan) (*status.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	socket := p.Path(paths.StatusSocket)
	r, err := status.AskSocket(ctx, socket)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: only its owner and root may ask; use sudo", socket)
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("no control plane runs here, and it has to: systemctl start khw-controller")
	case err != nil:
		return nil, fmt.Errorf("the control plane here %s; it has to run", explain(err))
	}
	return r, nil
}

func (c *Cluster) nameOf(ip net.IP) string {
	if c.plan.Self.Name != "" {
		return c.plan.Self.Name
	}
	return ip.String()
}

// addMembers adds the controllers' own members, as far as they believe clients and
// each other by a file of CAs that is wanted. Another controller has them on the same
// ports as this one.
func (c *Cluster) addMembers(wanted func(file string) bool) {
	etcd := c.plan.Etcd
	if etcd == nil {
		return
	}
	var urls []url.URL
	if wanted(etcd.ClientTLSInfo.TrustedCAFile) {
		urls = append(urls, etcd.AdvertiseClientUrls...)
	}
	if wanted(etcd.PeerTLSInfo.TrustedCAFile) {
		urls = append(urls, etcd.AdvertisePeerUrls...)
	}
	for i := range c.Controllers {
		o := &c.Controllers[i]
		for _, u := range urls {
			switch {
			case u.Scheme != "https" || !o.Here && o.host == "":
				continue
			case !o.Here:
				u.Host = net.JoinHostPort(o.host, u.Port())
			}
			if !slices.Contains(o.Etcd, u.String()) {
				o.Etcd = append(o.Etcd, u.String())
			}
		}
	}
}

// configFor reaches the apiserver of a controller.
func (c *Cluster) configFor(o Controller) *restclient.Config {
	config := restclient.CopyConfig(c.config)
	config.Host = "https://" + o.APIServer
	return config
}

// Others names all controllers but this one.
func (c *Cluster) Others() []string {
	var names []string
	for _, o := range c.Controllers {
		if !o.Here && !o.External {
			names = append(names, o.Name)
		}
	}
	return names
}

// acceptable returns the subjects of the CAs whose clients an apiserver accepts, as
// it says in each handshake.
func (c *Cluster) acceptable(ctx context.Context, o Controller) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.config.CAData)
	var subjects [][]byte
	dialer := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots,
		GetClientCertificate: func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			subjects = r.AcceptableCAs
			return &tls.Certificate{}, nil
		}}}
	conn, err := dialer.DialContext(ctx, "tcp", o.APIServer)
	if err != nil {
		return nil, err
	}
	return subjects, conn.Close()
}

// explain is why something did not answer, after its name.
func explain(err error) string {
	_, words := connerr.Explain(err)
	return words
}

// refused joins what speaks against a step into one line.
func refused(what string, reasons []string) error {
	if len(reasons) == 0 {
		return nil
	}
	return errors.New(what + ": " + strings.Join(reasons, "; "))
}

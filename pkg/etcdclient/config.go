// SPDX-License-Identifier: Apache-2.0

// Package etcdclient reaches etcd as the apiserver does: one member to check it,
// all of them to observe them, and a client for whoever needs more. What goes
// wrong comes back as a [Problem] with its fix.
package etcdclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// MemberTimeout is how long one member may take; one that hangs must not keep
// the others from being checked.
const MemberTimeout = 3 * time.Second

// Config is how a cluster is reached: the apiserver's own --etcd-servers,
// --etcd-cafile, --etcd-certfile and --etcd-keyfile.
type Config struct {
	// Endpoints are URLs with a port.
	Endpoints []string
	// CAFile, CertFile and KeyFile are PEM files; "" for none. Without a CAFile
	// the machine's CAs are trusted.
	CAFile, CertFile, KeyFile string
}

// TLS reads the files. Its error is a *Problem that names the file.
func (c Config) TLS() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, unreadable(c.CAFile, err, "etcd-cafile")
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &Problem{c.CAFile, connerr.File, "holds no certificate", "correct --kube-apiserver-arg etcd-cafile"}
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, unreadable(c.CertFile, err, "etcd-certfile and etcd-keyfile")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Client returns a client of some members, or of all Endpoints, which the caller
// closes. It says nothing in the log: the caller evaluates what it returns.
func (c Config) Client(ctx context.Context, endpoints ...string) (*clientv3.Client, error) {
	config, err := c.TLS()
	if err != nil {
		return nil, err
	}
	if len(endpoints) == 0 {
		endpoints = c.Endpoints
	}
	return clientv3.New(clientv3.Config{Context: ctx, Endpoints: endpoints, TLS: config, DialTimeout: MemberTimeout, Logger: zap.NewNop()})
}

// Dial connects to one member once, for what a client hides: why it cannot
// connect.
func (c Config) Dial(ctx context.Context, endpoint string) error {
	config, err := c.TLS()
	if err != nil {
		return err
	}
	return connerr.Dial(ctx, endpoint, config)
}

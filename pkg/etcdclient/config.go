// SPDX-License-Identifier: Apache-2.0

// Package etcdclient reaches etcd as the apiserver does: one member to check it,
// all of them to observe them, and a client for whoever needs more. What goes
// wrong comes back as a [Problem] with its fix.
package etcdclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/tlsutil"
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
	// Endpoints are URLs with a port, or what else etcd's client takes for one.
	Endpoints []string
	// CAFile, CertFile and KeyFile are PEM files; "" for none. Without a CAFile
	// the machine's CAs are trusted.
	CAFile, CertFile, KeyFile string

	roots *x509.CertPool // what Loaded has read from CAFile, or nil
}

// Loaded returns c with the CAs that CAFile holds now, for a client that lasts:
// the apiserver's reads them once, and its certificate for every connection.
func (c Config) Loaded() (Config, error) {
	if c.CAFile == "" {
		return c, nil
	}
	var err error
	c.roots, err = authorities(c.CAFile)
	return c, err
}

// TLS reads the files, as the apiserver's etcd client does (client/pkg/v3's
// transport.TLSInfo). Its error is a *Problem that names the file.
func (c Config) TLS() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	loaded := c
	if c.roots == nil {
		var err error
		if loaded, err = c.Loaded(); err != nil {
			return nil, err
		}
	}
	config.RootCAs = loaded.roots
	switch {
	case c.CertFile == "" && c.KeyFile == "":
		return config, nil
	case c.CertFile == "":
		return nil, &Problem{c.KeyFile, connerr.File, "is a key without a certificate", "set --kube-apiserver-arg etcd-certfile too"}
	case c.KeyFile == "":
		return nil, &Problem{c.CertFile, connerr.File, "is a certificate without a key", "set --kube-apiserver-arg etcd-keyfile too"}
	}
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, unreadable(c.CertFile, err, "etcd-certfile and etcd-keyfile")
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// authorities reads the CAs in a file, where etcd's client takes nothing but
// certificates.
func authorities(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(path, err, "etcd-cafile")
	}
	pool, err := tlsutil.NewCertPool([]string{path})
	switch {
	case err == nil && pool.Equal(x509.NewCertPool()):
		return nil, &Problem{path, connerr.File, "holds no certificate", "correct --kube-apiserver-arg etcd-cafile"}
	case err != nil:
		return nil, &Problem{path, connerr.File, "cannot be used: " + firstFault(data), "leave only the CA's certificates in it, or correct --kube-apiserver-arg etcd-cafile"}
	}
	return pool, nil
}

// firstFault tells which PEM block is not a certificate.
func firstFault(data []byte) string {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return "it has changed while it was read"
		}
		if block.Type != "CERTIFICATE" {
			return "etcd's client takes only certificates from this file, and it holds a PEM block " + strconv.Quote(block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return "it holds a damaged certificate: " + connerr.OneLine(err)
		}
	}
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
	if !c.hasFiles() {
		config = nil // with https, the client makes one
	}
	endpoints = slices.Clone(endpoints)
	for i, e := range endpoints {
		// Of some of them, the first may be another than of all.
		if network, address, _ := interpret(e); network == "tcp" {
			endpoints[i] = string(c.security(e)) + "://" + address
		}
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
	network, address, _ := interpret(endpoint)
	if !isDialable(network, address) {
		return &Problem{endpoint, connerr.Other, "is not an address that etcd's client can connect to", "correct --etcd-servers: https://HOST:2379, without a space"}
	}
	if network == "unix" {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	return connerr.Dial(ctx, string(c.security(endpoint))+"://"+address, config)
}

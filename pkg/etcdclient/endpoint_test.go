// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
)

// stockReads reports whether the apiserver's client, made as its storage factory
// makes it (newETCD3Client), reads a key. Where it does, the factory itself is
// asked too; where not, it would try for 20 s.
func stockReads(t *testing.T, c Config) error {
	t.Helper()
	info := transport.TLSInfo{CertFile: c.CertFile, KeyFile: c.KeyFile, TrustedCAFile: c.CAFile}
	config, err := info.ClientConfig()
	if err != nil {
		return err
	}
	if info.Empty() && c.CAFile == "" {
		config = nil
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints, TLS: config, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := client.Get(ctx, "health"); err != nil {
		return err
	}
	prober, err := factory.CreateProber(storagebackend.Config{Type: storagebackend.StorageTypeETCD3, Transport: storagebackend.TransportConfig{
		ServerList: c.Endpoints, CertFile: c.CertFile, KeyFile: c.KeyFile, TrustedCAFile: c.CAFile,
	}})
	if err != nil {
		return err
	}
	defer prober.Close()
	return prober.Probe(t.Context())
}

// serveUnix returns the path of a member's socket without TLS.
func serveUnix(t *testing.T, options ...grpc.ServerOption) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "etcd") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s:0")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(options...)
	pb.RegisterKVServer(s, kv{read: func(context.Context) error { return nil }})
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return path
}

// TestEndpointsAreThoseOfStock puts every form of an endpoint to the apiserver's
// own client and to Check: both connect, or neither.
func TestEndpointsAreThoseOfStock(t *testing.T) {
	own := files(t)
	ok := func(context.Context) error { return nil }
	trusting := memberTLS(t, own, own)
	tls := serve(t, trusting, ok)
	none := serve(t, nil, ok)
	_, tlsPort, err := net.SplitHostPort(tls)
	if err != nil {
		t.Fatal(err)
	}
	lab := Config{CAFile: own.CA, CertFile: own.Cert, KeyFile: own.Key}
	at := func(c Config, endpoints ...string) Config {
		c.Endpoints = endpoints
		return c
	}
	both := filepath.Join(t.TempDir(), "both.pem")
	copyAll(t, both, own.CA, own.CAKey)
	for name, test := range map[string]struct {
		config Config
		works  bool
	}{
		"as in the lab":                 {at(lab, "https://"+tls), true},
		"a trailing slash":              {at(lab, "https://"+tls+"/"), true},
		"a path":                        {at(lab, "https://"+tls+"/v3/kv?x=y"), true},
		"capitals":                      {at(lab, "HTTPS://"+tls), true},
		"no scheme":                     {at(lab, tls), true},
		"no scheme and a slash":         {at(lab, tls+"/"), false},
		"a name":                        {at(lab, "https://localhost:"+tlsPort), true},
		"a user":                        {at(lab, "https://root:secret@"+tls), true},
		"no host":                       {at(lab, "https://:"+tlsPort), false},
		"no port":                       {at(lab, "https://127.0.0.1"), false},
		"a port that is none":           {at(lab, "https://127.0.0.1:etcd"), false},
		"a space before":                {at(lab, " https://"+tls), false},
		"a space behind":                {at(lab, "https://"+tls+" "), false},
		"nothing":                       {at(lab, ""), false},
		"another scheme":                {at(lab, "etcd://"+tls), false},
		"tcp for a scheme":              {at(lab, "tcp://"+tls), false},
		"without TLS":                   {at(Config{}, "http://"+none), true},
		"without TLS, but with files":   {at(lab, "http://"+none), true},
		"without TLS and in capitals":   {at(lab, "HTTP://"+none+"/"), true},
		"no scheme and no files":        {at(Config{}, none), true},
		"no scheme, files and no TLS":   {at(lab, none), false},
		"no scheme, no files and TLS":   {at(Config{}, tls), false},
		"the machine's CAs":             {at(Config{}, "https://"+tls), false},
		"https without TLS there":       {at(lab, "https://"+none), false},
		"http with TLS there":           {at(lab, "http://"+tls), false},
		"TLS goes by the first":         {at(lab, "http://"+none, "https://"+none), true},
		"a socket":                      {at(Config{}, "unix://"+serveUnix(t)), true},
		"a socket, the short form":      {at(Config{}, "unix:"+serveUnix(t)), true},
		"a socket that is not there":    {at(Config{}, "unix:///nowhere/etcd.sock"), false},
		"a CA without a certificate":    {at(Config{CAFile: own.CA}, "https://"+serve(t, anyone(t, own), ok)), true},
		"a certificate without its key": {at(Config{CAFile: own.CA, CertFile: own.Cert}, "https://"+tls), false},
		"a key without its certificate": {at(Config{CAFile: own.CA, KeyFile: own.Key}, "https://"+tls), false},
		"a key in the CA's file":        {at(Config{CAFile: both, CertFile: own.Cert, KeyFile: own.Key}, "https://"+tls), false},
		"no files where there is none":  {at(Config{CAFile: "/nowhere/ca.pem"}, "http://"+none), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := stockReads(t, test.config); (err == nil) != test.works {
				t.Errorf("stock: %v, want %v", err, test.works)
			}
			for _, endpoint := range test.config.Endpoints {
				p := test.config.Check(t.Context(), endpoint)
				if (p == nil) != test.works {
					t.Errorf("%s: got %v, want %v", endpoint, p, test.works)
				}
				if p != nil && (p.Fix == "" || strings.Contains(p.Error()+p.Fix, "\n")) {
					t.Errorf("%q; %q: want one line with a fix", p, p.Fix)
				}
			}
		})
	}
}

func TestASocketWithTLS(t *testing.T) {
	own := files(t)
	// The name that is verified is the last part of the path; the lab's certificate
	// names no socket.
	c := Config{Endpoints: []string{"unixs://" + serveUnix(t, grpc.Creds(credentials.NewTLS(memberTLS(t, own, own))))}, CAFile: own.CA, CertFile: own.Cert, KeyFile: own.Key}
	if err := stockReads(t, c); err == nil {
		t.Error("stock connects")
	}
	if p := c.Check(t.Context(), c.Endpoints[0]); p == nil {
		t.Error("nothing is wrong")
	}
}

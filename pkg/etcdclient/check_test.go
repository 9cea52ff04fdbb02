// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/pki"
)

// kv is the part of a member that reads keys.
type kv struct {
	pb.UnimplementedKVServer
	read func(context.Context) error
}

func (s kv) Range(ctx context.Context, _ *pb.RangeRequest) (*pb.RangeResponse, error) {
	return &pb.RangeResponse{Header: &pb.ResponseHeader{}}, s.read(ctx)
}

// serve returns the address of a member that reads keys so; with a nil config it
// has no TLS.
func serve(t *testing.T, config *tls.Config, read func(context.Context) error) string {
	t.Helper()
	l := listen(t)
	var options []grpc.ServerOption
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	s := grpc.NewServer(options...)
	pb.RegisterKVServer(s, kv{read: read})
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func files(t *testing.T) pki.Files {
	t.Helper()
	f := pki.FilesIn(filepath.Join(t.TempDir(), "lab"))
	if err := pki.Generate(f, pki.Spec{AdvertiseAddress: net.IPv4(192, 0, 2, 10), ServiceIP: net.IPv4(10, 32, 0, 1), ServerPort: 6443}); err != nil {
		t.Fatal(err)
	}
	return f
}

// memberTLS is how a member with the lab's certificate in f verifies clients by
// the CA in clients.
func memberTLS(t *testing.T, f, clients pki.Files) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(clients.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
}

func TestCheck(t *testing.T) {
	own, others := files(t), files(t)
	config := Config{CAFile: own.CA, CertFile: own.Cert, KeyFile: own.Key}
	with := func(change func(*Config)) Config {
		c := config
		change(&c)
		return c
	}
	ok := func(context.Context) error { return nil }
	fails := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	trusting, strict := memberTLS(t, own, own), memberTLS(t, own, others)
	closed := listen(t)
	closed.Close()
	for name, test := range map[string]struct {
		config    Config
		endpoint  string
		reason    connerr.Reason
		text, fix string
	}{
		"all well":           {config, "https://" + serve(t, trusting, ok), "", "", ""},
		"without TLS":        {config, "http://" + serve(t, nil, ok), "", "", ""},
		"the key is denied":  {config, "https://" + serve(t, trusting, fails(rpctypes.ErrGRPCPermissionDenied)), "", "", ""},
		"no leader":          {config, "https://" + serve(t, trusting, fails(rpctypes.ErrGRPCNoLeader)), connerr.NoAnswer, "does not answer within 3s; it may have no leader", "whether most members run"},
		"no quorum":          {config, "https://" + serve(t, trusting, hangs), connerr.NoAnswer, "does not answer within 3s; it may have no leader", "whether most members run"},
		"hung":               {config, "https://" + listen(t).Addr().String(), connerr.NoAnswer, "does not answer within 3s", "whether the machine and etcd there are up"},
		"nobody":             {config, "https://" + closed.Addr().String(), connerr.Refused, "refuses the connection: nobody listens there", "systemctl start etcd"},
		"no such host":       {config, "https://etcd.invalid:2379", connerr.NoSuchHost, "is not a name that can be resolved", "correct --etcd-servers"},
		"no TLS there":       {config, "https://" + serve(t, nil, ok), connerr.NotTLS, "does not speak TLS", "correct --etcd-servers"},
		"TLS there":          {Config{}, "http://" + serve(t, trusting, ok), connerr.Other, "wants TLS", "https://"},
		"not a URL":          {config, "etcd-0", connerr.Other, "is not an address", "correct --etcd-servers"},
		"another CA's key":   {with(func(c *Config) { c.CAFile = own.CAKey }), "https://" + closed.Addr().String(), connerr.File, "it holds a PEM block \"EC PRIVATE KEY\"", "etcd-cafile"},
		"a certificate only": {with(func(c *Config) { c.KeyFile = "" }), "https://" + closed.Addr().String(), connerr.File, "is a certificate without a key", "etcd-keyfile"},
		"a key only":         {with(func(c *Config) { c.CertFile = "" }), "https://" + closed.Addr().String(), connerr.File, "is a key without a certificate", "etcd-certfile"},
		"unknown CA":         {config, "https://" + serve(t, strict, ok), connerr.ClientCertRefused, "refuses the client certificate (unknown certificate authority): " + own.Cert, "etcd-certfile"},
		"no client certificate": {with(func(c *Config) { c.CertFile, c.KeyFile = "", "" }), "https://" + serve(t, trusting, ok),
			connerr.ClientCertRefused, "wants a client certificate", "etcd-certfile"},
		"another CA": {with(func(c *Config) { c.CAFile = others.CA }), "https://" + serve(t, trusting, ok),
			connerr.UnknownCA, "of another CA: it is signed by CN=Kubernetes,OU=CA,O=Kubernetes,L=Portland,ST=Oregon,C=US, not by that of " + others.CA, "etcd-cafile"},
		"broken":     {config, "https://" + serve(t, trusting, fails(rpctypes.ErrGRPCCorrupt)), connerr.Other, "does not work: etcdserver: corrupt cluster", "journalctl -u etcd"},
		"no CA file": {with(func(c *Config) { c.CAFile += ".gone" }), "https://" + closed.Addr().String(), connerr.File, "cannot be read: no such file", "etcd-cafile"},
		"no CA":      {with(func(c *Config) { c.CAFile = own.EncryptionConfig }), "https://" + closed.Addr().String(), connerr.File, "holds no certificate", "etcd-cafile"},
		"no key":     {with(func(c *Config) { c.KeyFile += ".gone" }), "https://" + closed.Addr().String(), connerr.File, "cannot be read: no such file", "etcd-keyfile"},
		"not a pair": {with(func(c *Config) { c.KeyFile = others.Key }), "https://" + closed.Addr().String(), connerr.File, "does not match", "etcd-keyfile"},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := 10 * time.Second
			if test.reason == connerr.NoAnswer {
				timeout = 500 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			p := test.config.Check(ctx, test.endpoint)
			if test.reason == "" {
				if p != nil {
					t.Error(p)
				}
				return
			}
			if p == nil {
				t.Fatal("nothing is wrong")
			}
			if p.Reason != test.reason || !strings.Contains(p.Text, test.text) || !strings.Contains(p.Fix, test.fix) {
				t.Errorf("got %+v, want %s, %q with %q", *p, test.reason, test.text, test.fix)
			}
			if says := p.Error() + p.Fix; strings.Contains(says, "\n") || strings.Contains(says, "BEGIN") {
				t.Errorf("%q is not one line, or shows a file", says)
			}
			if wanted := "no leader"; strings.Contains(p.Text, wanted) != strings.Contains(test.text, wanted) {
				t.Errorf("%q, want %q", p.Text, test.text)
			}
			if p.Reason != connerr.File && p.Subject != test.endpoint {
				t.Errorf("the subject is %s, want %s", p.Subject, test.endpoint)
			}
		})
	}
}

// TestAMemberThatHangsIsNotWaitedForWhereAnotherAnswers wants the one that refuses to be
// told as it is, too.
func TestAMemberThatHangsIsNotWaitedForWhereAnotherAnswers(t *testing.T) {
	closed := listen(t)
	closed.Close()
	hung := listen(t) // nobody takes what arrives
	there := serve(t, nil, func(context.Context) error { return nil })
	endpoints := []string{"http://" + hung.Addr().String(), "http://" + closed.Addr().String(), "http://" + there}
	began := time.Now()
	problems := Config{}.CheckAll(t.Context(), endpoints, 10*time.Millisecond)
	if took := time.Since(began); took > MemberTimeout-time.Second {
		t.Errorf("it takes %s", took)
	}
	if p := problems[0]; p == nil || p.Reason != connerr.NoAnswer || !p.Reason.MayPass() || p.Error() != endpoints[0]+" has not answered yet, and another member has" {
		t.Errorf("of the one that hangs: %v", p)
	}
	if p := problems[1]; p == nil || p.Reason != connerr.Refused {
		t.Errorf("of the one that refuses: %v", p)
	}
	if problems[2] != nil {
		t.Error(problems[2])
	}
	// Where none answers, all have their time.
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if p := (Config{}).CheckAll(ctx, endpoints[:1], 0)[0]; p == nil || !strings.Contains(p.Text, "does not answer within 3s") {
		t.Errorf("alone: %v", p)
	}
}

// anyone is how a member that wants no client certificate serves.
func anyone(t *testing.T, f pki.Files) *tls.Config {
	t.Helper()
	c := memberTLS(t, f, f)
	c.ClientAuth = tls.NoClientCert
	return c
}

// copyAll writes the content of some files to another, one after the other.
func copyAll(t *testing.T, to string, from ...string) {
	t.Helper()
	var all []byte
	for _, path := range from {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	if err := os.WriteFile(to, all, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestALastingClientKeepsItsCAs replaces the CA while etcd is as it was: the
// apiserver goes on, and so does who observes etcd for it.
func TestALastingClientKeepsItsCAs(t *testing.T) {
	own, others := files(t), files(t)
	config, err := Config{CAFile: own.CA, CertFile: own.Cert, KeyFile: own.Key}.Loaded()
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "https://" + serve(t, memberTLS(t, own, own), func(context.Context) error { return nil })
	copyAll(t, own.CA, others.CA)
	if p := config.Check(t.Context(), endpoint); p != nil {
		t.Error(p)
	}
	if p := (Config{CAFile: own.CA, CertFile: own.Cert, KeyFile: own.Key}).Check(t.Context(), endpoint); p == nil {
		t.Error("the CA in the file is another one, and the test shows nothing")
	}
	copyAll(t, own.Key, others.Key)
	copyAll(t, own.Cert, others.Cert)
	if p := config.Check(t.Context(), endpoint); p == nil || p.Reason != connerr.ClientCertRefused {
		t.Errorf("with another certificate in its file: %v, want %s", p, connerr.ClientCertRefused)
	}
}

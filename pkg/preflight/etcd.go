// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// etcdTimeout is how long one member may take to answer.
const etcdTimeout = 3 * time.Second

// checkEtcd asks every external member, all at once. One that answers is
// enough to start with.
func checkEtcd(ctx context.Context, in input) []Finding {
	if len(in.EtcdServers) == 0 {
		return nil
	}
	config, err := etcdTLS(in)
	if err != nil {
		return nil // reported with the certificates themselves
	}
	problems := make([]string, len(in.EtcdServers))
	var wg sync.WaitGroup
	for i, endpoint := range in.EtcdServers {
		wg.Go(func() { problems[i] = askEtcd(ctx, endpoint, config, in) })
	}
	wg.Wait()
	var found []Finding
	for i, p := range problems {
		if p != "" {
			found = append(found, Finding{Error, "--etcd-servers " + in.EtcdServers[i], p, etcdFix(p)})
		}
	}
	if len(found) < len(in.EtcdServers) {
		for i := range found {
			found[i].Severity = Warning
		}
	}
	return found
}

func etcdTLS(in input) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if in.EtcdCA.Path != "" {
		ca, err := os.ReadFile(in.EtcdCA.Path)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM(ca)
	}
	if in.EtcdClient.Cert.Path != "" {
		pair, err := tls.LoadX509KeyPair(in.EtcdClient.Cert.Path, in.EtcdClient.Key.Path)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// askEtcd returns what is wrong with one member, or "".
func askEtcd(ctx context.Context, endpoint string, config *tls.Config, in input) string {
	if strings.HasPrefix(endpoint, "https://") {
		if err := handshake(ctx, endpoint, config); err != nil {
			return explainTLS(err, in)
		}
	} else {
		config = nil
	}
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, TLS: config, Context: ctx, Logger: zap.NewNop()})
	if err != nil {
		return oneLine(err.Error())
	}
	defer client.Close()
	// A read through the leader: a member without a quorum does not answer it.
	_, err = client.Get(ctx, "/registry/health", clientv3.WithCountOnly())
	switch status.Code(err) {
	case codes.OK, codes.PermissionDenied:
		return ""
	case codes.DeadlineExceeded:
		return fmt.Sprintf("does not answer within %s; it may have no leader", etcdTimeout)
	case codes.Unavailable:
		if strings.Contains(err.Error(), "tls:") || strings.Contains(err.Error(), "certificate") {
			return "refuses the client certificate " + in.EtcdClient.Cert.Path
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("does not answer within %s; it may have no leader", etcdTimeout)
	}
	return oneLine(err.Error())
}

// handshake connects once with TLS: gRPC hides why a connection fails.
func handshake(ctx context.Context, endpoint string, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	d := tls.Dialer{Config: config.Clone()}
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(endpoint, "https://"))
	if err != nil {
		return err
	}
	return conn.Close()
}

func explainTLS(err error, in input) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority):
		return "has a certificate that is not signed by " + in.EtcdCA.Path
	case errors.As(err, &host):
		return "has a certificate that does not name this address"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "has a certificate that has expired, or this machine's clock is wrong"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("does not answer within %s", etcdTimeout)
	}
	return "cannot be reached: " + oneLine(err.Error())
}

func etcdFix(problem string) string {
	switch {
	case strings.Contains(problem, "not signed by"):
		return "point --kube-apiserver-arg etcd-cafile to the CA of this etcd"
	case strings.Contains(problem, "client certificate"):
		return "point --kube-apiserver-arg etcd-certfile to a certificate of the CA that etcd trusts"
	}
	return "start etcd there, or correct the address"
}

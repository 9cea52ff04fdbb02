// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// EtcdMember is one stock etcd of a cluster.
type EtcdMember struct {
	// Name of the member.
	Name string
	// Address is where it listens; empty: 127.0.0.1.
	Address string
	// DataDir is where it keeps its data.
	DataDir string
	// ClientPort and PeerPort are on Address.
	ClientPort, PeerPort int
}

// ClientURL is where clients reach it.
func (m EtcdMember) ClientURL() string { return m.url(m.ClientPort) }

// PeerURL is where the other members reach it.
func (m EtcdMember) PeerURL() string { return m.url(m.PeerPort) }

func (m EtcdMember) url(port int) string {
	return fmt.Sprintf("https://%s:%d", cmp.Or(m.Address, "127.0.0.1"), port)
}

// EtcdArgs returns the command line of a member, as lab chapter 07's unit has
// it, with the lab's files from dir. all are the members, itself included.
func EtcdArgs(dir string, m EtcdMember, all []EtcdMember) []string {
	in := func(name string) string { return filepath.Join(dir, name) }
	var peers []string
	for _, o := range all {
		peers = append(peers, o.Name+"="+o.PeerURL())
	}
	return []string{
		"--name=" + m.Name,
		"--cert-file=" + in("kubernetes.pem"),
		"--key-file=" + in("kubernetes-key.pem"),
		"--peer-cert-file=" + in("kubernetes.pem"),
		"--peer-key-file=" + in("kubernetes-key.pem"),
		"--trusted-ca-file=" + in("ca.pem"),
		"--peer-trusted-ca-file=" + in("ca.pem"),
		"--peer-client-cert-auth",
		"--client-cert-auth",
		"--initial-advertise-peer-urls=" + m.PeerURL(),
		"--listen-peer-urls=" + m.PeerURL(),
		"--listen-client-urls=" + m.ClientURL(),
		"--advertise-client-urls=" + m.ClientURL(),
		"--initial-cluster-token=etcd-cluster-0",
		"--initial-cluster=" + strings.Join(peers, ","),
		"--initial-cluster-state=new",
		"--data-dir=" + m.DataDir,
	}
}

// EtcdClient talks to etcd past the apiserver, with the lab's client certificate
// from dir.
func EtcdClient(dir string, endpoints ...string) (*clientv3.Client, error) {
	return etcdClient(dir, nil, endpoints)
}

// Dial connects, from a host of its own.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// EtcdClientFrom is EtcdClient, from where dial connects.
func EtcdClientFrom(dial Dial, dir string, endpoints ...string) (*clientv3.Client, error) {
	return etcdClient(dir, []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		return dial(ctx, "tcp", address)
	})}, endpoints)
}

func etcdClient(dir string, options []grpc.DialOption, endpoints []string) (*clientv3.Client, error) {
	info := transport.TLSInfo{
		CertFile:      filepath.Join(dir, "kubernetes.pem"),
		KeyFile:       filepath.Join(dir, "kubernetes-key.pem"),
		TrustedCAFile: filepath.Join(dir, "ca.pem"),
	}
	config, err := info.ClientConfig()
	if err != nil {
		return nil, err
	}
	config.MinVersion = tls.VersionTLS12
	return clientv3.New(clientv3.Config{Endpoints: endpoints, TLS: config, DialTimeout: 5 * time.Second, DialOptions: options, Logger: zap.NewNop()})
}

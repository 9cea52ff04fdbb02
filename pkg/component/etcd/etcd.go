// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Member is the Runner of the embedded member.
type Member struct {
	config *embed.Config
}

// New returns the member that cfg describes. fatal is called, and must not
// return, when etcd logs that it cannot go on.
func New(cfg *embed.Config, fatal func(reason string)) *Member {
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(newLogger(fatal))
	return &Member{config: cfg}
}

// Run starts the member, waits until it serves, and closes it when ctx ends.
func (m *Member) Run(ctx context.Context, report supervisor.Report) error {
	server, err := embed.StartEtcd(m.config)
	if err != nil {
		return err
	}
	defer server.Close()
	select {
	case <-server.Server.ReadyNotify():
	case err := <-server.Err():
		return err
	case <-server.Server.StopNotify():
		return errors.New("the member stopped before it was ready")
	case <-ctx.Done():
		return nil
	}
	report(supervisor.Running, "")
	select {
	case err := <-server.Err():
		return err
	case <-server.Server.StopNotify():
		return errors.New("the member stopped; it may have been removed from its cluster")
	case <-ctx.Done():
		klog.InfoS("Closing the embedded etcd member", "dir", m.config.Dir)
		return nil
	}
}

// Endpoints returns the client URLs for --etcd-servers.
func Endpoints(cfg *embed.Config) []string {
	var out []string
	for _, u := range cfg.AdvertiseClientUrls {
		out = append(out, fmt.Sprintf("%s://%s", u.Scheme, u.Host))
	}
	return out
}

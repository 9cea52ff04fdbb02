// SPDX-License-Identifier: Apache-2.0

// Package clients has what people put on a cluster meet a controller: webhooks whose
// service fails, aggregated APIs, big custom resource definitions, long lists, informers,
// Helm, and the client for Python.
package clients

import (
	"context"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// TestClients has all of them on one controller, which is started anew beside them.
func TestClients(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	etcd := e.StartEtcd(c.Lab(""), 1)
	c.EtcdServers = etcd.URLs()
	c.StartReady()
	leads(c)

	bigDefinition(c)
	pythonClient(c)
	for _, major := range []string{"helm3", "helm4"} {
		helm(c, major)
	}
	informed := inform(c)
	token := pages(c)
	apis := aggregate(c)
	asStock(c, etcd, apis)
	garbage := leave(c)

	compact(c, etcd.Client())
	c.StopInOrder()
	c.StartReady()
	leads(c)
	apis.serve(c)
	expires(c, token)
	informed.follows(c)
	garbage.goes(c)
	apis.holdNamespaces(c)
	c.StopInOrder()
}

// asStock starts a stock apiserver on the same etcd, and wants of both the same of APIs
// that fail.
func asStock(c *harness.Controller, etcd *harness.Etcd, apis *aggregated) {
	c.Helper()
	stock := c.Stock("stock", c, etcd)
	p := stock.Start(lab.APIServer)
	c.WithinAlive(p, harness.Patience, "the stock apiserver", func(ctx context.Context) error { return cluster.Readyz(ctx, stock.Client()) })
	apis.same(c, stock)
	_, err := p.Stop(harness.Patience)
	c.Must(err)
}

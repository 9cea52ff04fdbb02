// SPDX-License-Identifier: Apache-2.0

// Package metrics reads the metrics pages of a controller and of the stock
// daemons: what is on one stock page only is on that page here, and no series is
// shown twice.
package metrics

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

func TestMetricsPages(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	c.EtcdServers = e.StartEtcd(c.Lab(""), 1).URLs()
	c.StartReady()
	awaitChurn(e.StartChurn(c.Client()))
	askForHealth(c) // which has no series before anybody asked
	ours := pages(e, c.Lab("admin.kubeconfig"), c.Ports)
	refusesAnonymous(c)
	c.StopInOrder()

	e = harness.New(t)
	stock := e.Stock("stock", c, e.StartEtcd(c.Lab(""), 1))
	apiserver := stock.Start(lab.APIServer)
	e.WithinAlive(apiserver, harness.Patience, "the stock apiserver", func(ctx context.Context) error {
		return cluster.Readyz(ctx, stock.Client())
	})
	for _, component := range []lab.Component{lab.ControllerManager, lab.Scheduler} {
		stock.Start(component, cluster.StockMetrics)
	}
	awaitChurn(e.StartChurn(stock.Client()))
	theirs := pages(e, stock.Kubeconfig(), stock.Ports)

	likeStock(t, ours, theirs)
	nothingTwice(t, ours)
	t.Logf("series on all pages: stock %d, khw-controller %d", cluster.Series(theirs), cluster.Series(ours))
}

func awaitChurn(churn *harness.Churn) {
	churn.Helper()
	churn.AwaitWork()
	churn.Pause()
}

func askForHealth(c *harness.Controller) {
	c.Helper()
	c.Eventually("the health port to say ok", func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/healthz", c.Ports.Health), http.NoBody)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("it says %s", resp.Status)
		}
		return nil
	})
}

// pages reads the three pages as the admin.
func pages(e *harness.Env, kubeconfig string, ports cluster.Ports) (all map[lab.Component]cluster.MetricsPage) {
	e.Helper()
	e.Eventually("all metrics pages", func(ctx context.Context) (err error) {
		all, err = cluster.MetricsPages(ctx, kubeconfig, ports)
		return err
	})
	return all
}

// refusesAnonymous wants no page for anonymous users.
func refusesAnonymous(c *harness.Controller) {
	c.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for _, port := range c.Ports.Secure() {
		_, err := cluster.ScrapeMetrics(c.Context(), client, port)
		if err == nil || !strings.Contains(err.Error(), "40") {
			c.Errorf("an anonymous user gets the metrics of port %d: %v", port, err)
		}
	}
}

// likeStock wants each family that one stock component alone has on the page of
// that component alone.
func likeStock(t *testing.T, ours, theirs map[lab.Component]cluster.MetricsPage) {
	t.Helper()
	compared := 0
	for component, families := range theirs {
		for name := range families {
			if holders := having(theirs, name); len(holders) > 1 {
				continue
			}
			holders := having(ours, name)
			if len(holders) == 0 {
				continue // has no series yet
			}
			compared++
			if !slices.Equal(holders, []lab.Component{component}) {
				t.Errorf("%s is on the pages of %v, want %s", name, holders, component)
			}
		}
	}
	if compared < 100 {
		t.Errorf("only %d families could be compared", compared)
	}
}

func having(pages map[lab.Component]cluster.MetricsPage, family string) []lab.Component {
	var out []lab.Component
	for _, component := range lab.Components() {
		if _, ok := pages[component][family]; ok {
			out = append(out, component)
		}
	}
	return out
}

// nothingTwice wants every series on one page, and the controller's own among
// them.
func nothingTwice(t *testing.T, pages map[lab.Component]cluster.MetricsPage) {
	t.Helper()
	seen := map[string]lab.Component{}
	for component, families := range pages {
		for name, family := range families {
			for _, m := range family.GetMetric() {
				series := name + fmt.Sprint(m.GetLabel())
				if other, twice := seen[series]; twice {
					t.Errorf("%s is on the pages of %s and %s", series, other, component)
				}
				seen[series] = component
			}
		}
	}
	for _, name := range []string{"khw_component_up", "khw_component_restarts_total", "khw_component_leading",
		"khw_healthz_answers_total", "khw_bootstrap_objects_total", "khw_certificate_expiration_timestamp_seconds",
		"process_cpu_seconds_total", "go_goroutines", "rest_client_requests_total", "kubernetes_feature_enabled"} {
		if holders := having(pages, name); !slices.Equal(holders, []lab.Component{lab.APIServer}) {
			t.Errorf("%s is on the pages of %v, want the apiserver's", name, holders)
		}
	}
	for component, label := range map[lab.Component]string{lab.ControllerManager: "deployment", lab.APIServer: "autoregister"} {
		names := map[string]bool{}
		for _, m := range pages[component]["workqueue_adds_total"].GetMetric() {
			for _, l := range m.GetLabel() {
				names[l.GetValue()] = true
			}
		}
		if !names[label] {
			t.Errorf("the page of %s lacks the work queue %s; it has %v", component, label, slices.Sorted(maps.Keys(names)))
		}
	}
}

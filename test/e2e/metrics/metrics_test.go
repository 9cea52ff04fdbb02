// SPDX-License-Identifier: Apache-2.0

// Package metrics reads the metrics pages of a controller and of the stock
// daemons: what is on one stock page only is on that page here, and no series is
// shown twice.
package metrics

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// page is what one port shows, by family.
type page map[string]*dto.MetricFamily

func TestMetricsPages(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	c.EtcdServers = e.StartEtcd(c.Lab(""), 1).URLs()
	c.StartReady()
	awaitChurn(e.StartChurn(c.Client()))
	ours := pages(e, c.Lab("admin.kubeconfig"), c.Ports)
	refuseStrangers(c)
	c.StopInOrder()

	e = harness.New(t)
	stock := e.Stock("stock", c, e.StartEtcd(c.Lab(""), 1))
	apiserver := stock.Start(lab.APIServer)
	e.WithinAlive(apiserver, harness.Patience, "the stock apiserver", func(ctx context.Context) error {
		return cluster.Readyz(ctx, stock.Client())
	})
	for _, component := range []lab.Component{lab.ControllerManager, lab.Scheduler} {
		stock.Start(component, "--authorization-always-allow-paths=/metrics")
	}
	awaitChurn(e.StartChurn(stock.Client()))
	theirs := pages(e, stock.Kubeconfig(), stock.Ports)

	likeStock(t, ours, theirs)
	nothingTwice(t, ours)
	t.Logf("series on all pages: stock %d, khw-controller %d", total(theirs), total(ours))
}

func awaitChurn(churn *harness.Churn) {
	churn.Helper()
	churn.AwaitWork()
	churn.Pause()
}

// pages reads the three pages as the admin.
func pages(e *harness.Env, kubeconfig string, ports cluster.Ports) map[lab.Component]page {
	e.Helper()
	config, err := cluster.Config(kubeconfig)
	e.Must(err)
	config.Insecure, config.CAData, config.CAFile = true, nil, "" // two ports have certificates of their own making
	client, err := restclient.HTTPClientFor(config)
	e.Must(err)
	out := map[lab.Component]page{}
	for component, port := range map[lab.Component]int{
		lab.APIServer: ports.APIServer, lab.ControllerManager: ports.ControllerManager, lab.Scheduler: ports.Scheduler,
	} {
		e.Eventually("the metrics of "+string(component), func(ctx context.Context) error {
			families, err := scrape(ctx, client, fmt.Sprintf("https://127.0.0.1:%d/metrics", port))
			out[component] = families
			return err
		})
	}
	return out
}

func scrape(ctx context.Context, client *http.Client, url string) (page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("%s answers %s: %s", url, resp.Status, body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return parser.TextToMetricFamilies(resp.Body)
}

// refuseStrangers wants no page for who is nobody.
func refuseStrangers(c *harness.Controller) {
	c.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for _, port := range []int{c.Ports.APIServer, c.Ports.ControllerManager, c.Ports.Scheduler} {
		_, err := scrape(c.Context(), client, fmt.Sprintf("https://127.0.0.1:%d/metrics", port))
		if err == nil || !strings.Contains(err.Error(), "40") {
			c.Errorf("a stranger gets the metrics of port %d: %v", port, err)
		}
	}
}

// likeStock wants each family that one stock component alone has on the page of
// that component alone.
func likeStock(t *testing.T, ours, theirs map[lab.Component]page) {
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

func having(pages map[lab.Component]page, family string) []lab.Component {
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
func nothingTwice(t *testing.T, pages map[lab.Component]page) {
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

func total(pages map[lab.Component]page) int {
	n := 0
	for _, families := range pages {
		for _, family := range families {
			n += len(family.GetMetric())
		}
	}
	return n
}

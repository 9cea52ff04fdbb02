// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// StockMetrics lets everybody read the metrics of a stock controller-manager or
// scheduler, which with the lab's flags nobody may.
const StockMetrics = "--authorization-always-allow-paths=/metrics"

// MetricsPage is what one port shows, by family.
type MetricsPage map[string]*dto.MetricFamily

// MetricsPages reads the pages of all components with the given kubeconfig.
func MetricsPages(ctx context.Context, kubeconfig string, ports Ports) (map[lab.Component]MetricsPage, error) {
	config, err := Config(kubeconfig)
	if err != nil {
		return nil, err
	}
	config.Insecure, config.CAData = true, nil // two ports have certificates of their own making
	client, err := restclient.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	pages := map[lab.Component]MetricsPage{}
	for component, port := range ports.Secure() {
		if pages[component], err = ScrapeMetrics(ctx, client, port); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// ScrapeMetrics reads the page of one port.
func ScrapeMetrics(ctx context.Context, client *http.Client, port int) (MetricsPage, error) {
	url := fmt.Sprintf("https://127.0.0.1:%d/metrics", port)
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

// Series counts the time series on all pages, as Prometheus does: a histogram has
// one for each bucket.
func Series(pages map[lab.Component]MetricsPage) int {
	n := 0
	for _, families := range pages {
		for _, family := range families {
			for _, m := range family.GetMetric() {
				switch {
				case m.Histogram != nil:
					n += len(m.Histogram.Bucket) + 2 // and sum and count
				case m.Summary != nil:
					n += len(m.Summary.Quantile) + 2
				default:
					n++
				}
			}
		}
	}
	return n
}

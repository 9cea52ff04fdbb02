// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/machine"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// prometheus is one that scrapes as the shipped configuration says, and judges by the
// shipped rules.
type prometheus struct {
	*machine.Host
	process *process.Process
	client  *http.Client
}

const prometheusAddress = "127.0.0.1:9090"

// target is a controller, or an etcd, beside those that the shipped configuration names.
type target struct {
	address, cluster string
	jobs             []string
}

// startPrometheus starts one on a host. In files are the CA and the certificate that it
// has.
func startPrometheus(host *machine.Host, files string, rules []byte, more []target) *prometheus {
	host.Helper()
	rulesFile, configFile := host.Path("short.rules.yaml"), host.Path("prometheus.yaml")
	host.Must(os.WriteFile(rulesFile, rules, 0o600))
	host.Must(os.WriteFile(configFile, scrapeConfig(host, files, rulesFile, more), 0o600))
	p := &prometheus{Host: host, client: &http.Client{Transport: &http.Transport{DialContext: host.Dial}, Timeout: harness.Patience}}
	p.process = host.Start("prometheus", process.Spec{Path: host.Prometheus("prometheus"), Args: []string{
		"--config.file=" + configFile, "--storage.tsdb.path=" + host.Path("prometheus"), "--web.listen-address=" + prometheusAddress, "--log.level=warn",
	}})
	host.Eventually("Prometheus", func(ctx context.Context) error {
		_, err := p.query(ctx, "up")
		return err
	})
	return p
}

// scrapeConfig is the shipped part of prometheus.yml, with more targets, and everything
// every second; of the other components' pages, only that they are there matters.
func scrapeConfig(host *machine.Host, files, rules string, more []target) []byte {
	host.Helper()
	shipped, err := os.ReadFile(filepath.Join(top, "packaging/prometheus/scrape.yaml"))
	host.Must(err)
	var config map[string]any
	host.Must(yaml.Unmarshal([]byte(strings.ReplaceAll(string(shipped), "/etc/prometheus/khw", files)), &config))
	config["global"] = map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
	config["rule_files"] = []string{rules}
	jobs := config["scrape_configs"].([]any)
	for _, each := range jobs {
		job := each.(map[string]any)
		static := job["static_configs"].([]any)
		shipped := static[0].(map[string]any)["targets"].([]any)[0].(string)
		port := shipped[strings.LastIndex(shipped, ":"):]
		for _, t := range more {
			if slices.Contains(t.jobs, job["job_name"].(string)) {
				static = append(static, map[string]any{"targets": []string{t.address + port}, "labels": map[string]string{"cluster": t.cluster}})
			}
		}
		job["static_configs"] = static
		if port == ":10257" || port == ":10259" {
			job["scrape_interval"] = "3s"
		}
	}
	// As the shipped file says of a controller that is alone.
	for _, t := range more {
		if slices.Contains(t.jobs, metricsURL) {
			jobs = append(jobs, map[string]any{"job_name": metricsURL, "static_configs": []any{
				map[string]any{"targets": []string{t.address + ":2381"}, "labels": map[string]string{"cluster": t.cluster}},
			}})
		}
	}
	config["scrape_configs"] = jobs
	data, err := yaml.Marshal(config)
	host.Must(err)
	return data
}

// metricsURL is the job of an etcd that shows its metrics without TLS.
const metricsURL = "etcd-listen-metrics-urls"

// query returns the series, as labels, and the values that an expression has now.
func (p *prometheus) query(ctx context.Context, expr string) (map[string]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+prometheusAddress+"/api/v1/query?query="+url.QueryEscape(expr), http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  []any             `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("%s: %s", resp.Status, data)
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	found := map[string]string{}
	for _, r := range answer.Data.Result {
		var labels []string
		for _, name := range slices.Sorted(maps.Keys(r.Metric)) {
			labels = append(labels, name+"="+r.Metric[name])
		}
		found[strings.Join(labels, " ")] = fmt.Sprint(r.Value[1])
	}
	return found, nil
}

// await waits until an expression has a value.
func (p *prometheus) await(expr string) {
	p.Helper()
	p.Within(patience, expr, func(ctx context.Context) error { return p.has(ctx, expr) })
}

func (p *prometheus) has(ctx context.Context, expr string) error {
	found, err := p.query(ctx, expr)
	if err == nil && len(found) == 0 {
		err = errors.New("nothing")
	}
	return err
}

// firing selects the series of an alert that fires.
func firing(alert, of string) string {
	return fmt.Sprintf(`ALERTS{alertname=%q, alertstate="firing", %s}`, alert, of)
}

// fired returns nil when an alert has fired since a moment.
func (p *prometheus) fired(ctx context.Context, alert, of string, since time.Time) error {
	return p.has(ctx, fmt.Sprintf("count_over_time(%s[%ds])", firing(alert, of), max(1, int(time.Since(since).Seconds()))))
}

// fires returns what fires now.
func (p *prometheus) fires(ctx context.Context) ([]string, error) {
	found, err := p.query(ctx, `ALERTS{alertstate="firing"}`)
	return slices.Sorted(maps.Keys(found)), err
}

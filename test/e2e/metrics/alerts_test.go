// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/component-base/metrics/legacyregistry"
	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/monitoring"
)

const top = "../../.."

// TestAlerts has promtool judge the alerts, and fire each of them.
func TestAlerts(t *testing.T) {
	promtool := harness.New(t).Prometheus("promtool")
	dir := filepath.Join(top, filepath.Dir(monitoring.RulesFile))
	for _, args := range [][]string{
		{"check", "rules", filepath.Base(monitoring.RulesFile)},
		{"test", "rules", filepath.Base(monitoring.TestsFile)},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestAlertsAndDashboardNameWhatIsThere scrapes a controller as the shipped scrape
// configuration has it scraped, and wants every series there that the rules or the
// dashboard name.
func TestAlertsAndDashboardNameWhatIsThere(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.StartReady()
	c.StopInOrder()
	c.StartReady() // the lead has changed hands
	e.Eventually("both leases to be held again", func(ctx context.Context) error {
		page, err := cluster.ScrapeMetrics(ctx, asPrometheus(e, c), c.Ports.APIServer)
		if err != nil {
			return err
		}
		leads := 0
		for _, m := range page["khw_component_leading"].GetMetric() {
			leads += int(m.GetGauge().GetValue())
		}
		if leads < 3 || page["khw_etcd_member_up"] == nil || page["khw_leader_handover_seconds"] == nil {
			return fmt.Errorf("%d components lead", leads)
		}
		return nil
	})
	askForHealth(c)

	there := map[string]bool{"up": true} // Prometheus makes this one itself
	for job, port := range jobs(e, c) {
		page, err := cluster.ScrapeMetrics(e.Context(), asPrometheus(e, c), port)
		if err != nil {
			t.Errorf("the job %s: %v", job, err)
		}
		for name := range seriesOf(slices.Collect(maps.Values(page))) {
			there[name] = true
		}
	}
	maps.Copy(there, inTrouble(t))
	used, err := monitoring.Used(top)
	e.Must(err)
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !there[name] {
			t.Errorf("%s is on no page; it is named by %s", name, strings.Join(used[name], ", "))
		}
	}
	t.Logf("%d series are named, of %d", len(used), len(there))
	c.StopInOrder()
}

// inTrouble returns the series that Kubernetes shows only once something went wrong,
// which it does here, in this process.
func inTrouble(t *testing.T) map[string]bool {
	t.Helper()
	audit.HandlePluginError("log", errors.New("no space left on device"))
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := seriesOf(families)
	return map[string]bool{"apiserver_audit_error_total": all["apiserver_audit_error_total"]}
}

// seriesOf returns the names of families' series.
func seriesOf(families []*dto.MetricFamily) map[string]bool {
	names := map[string]bool{}
	for _, f := range families {
		suffixes := []string{""}
		switch f.GetType() {
		case dto.MetricType_HISTOGRAM:
			suffixes = []string{"_bucket", "_sum", "_count"}
		case dto.MetricType_SUMMARY:
			suffixes = []string{"", "_sum", "_count"}
		}
		for _, s := range suffixes {
			names[f.GetName()+s] = true
		}
	}
	return names
}

// jobs returns the port of each job of the shipped scrape configuration.
func jobs(e *harness.Env, c *harness.Controller) map[string]int {
	e.Helper()
	data, err := os.ReadFile(filepath.Join(top, "packaging/prometheus/scrape.yaml"))
	e.Must(err)
	var config struct {
		Jobs []struct {
			Name    string `json:"job_name"`
			Targets []struct {
				Targets []string `json:"targets"`
			} `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	e.Must(yaml.Unmarshal(data, &config))
	here := map[string]int{"6443": c.Ports.APIServer, "10257": c.Ports.ControllerManager, "10259": c.Ports.Scheduler, "2379": c.Ports.EtcdClient}
	ports := map[string]int{}
	for _, j := range config.Jobs {
		_, port, _ := strings.Cut(j.Targets[0].Targets[0], ":")
		ports[j.Name] = here[port]
	}
	if len(ports) != len(here) {
		e.Fatalf("the jobs are %v", ports)
	}
	return ports
}

// asPrometheus returns a client with a certificate of the group system:monitoring, as
// the scrape configuration wants one.
func asPrometheus(e *harness.Env, c *harness.Controller) *http.Client {
	e.Helper()
	ca, err := tls.LoadX509KeyPair(c.Lab("ca.pem"), c.Lab("ca-key.pem"))
	e.Must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	e.Must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "prometheus", Organization: []string{"system:monitoring"}},
		NotBefore:    time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Leaf, key.Public(), ca.PrivateKey)
	e.Must(err)
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		Certificates:       []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		InsecureSkipVerify: true, // two ports have certificates of their own making
	}}}
}

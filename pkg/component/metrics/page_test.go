// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// family has one series per name; "" is one without labels.
func family(name string, series ...string) *dto.MetricFamily {
	f := &dto.MetricFamily{Name: ptr.To(name)}
	for _, s := range series {
		m := &dto.Metric{}
		if s != "" {
			m.Label = []*dto.LabelPair{{Name: ptr.To("other"), Value: ptr.To("x")}, {Name: ptr.To("name"), Value: ptr.To(s)}}
		}
		f.Metric = append(f.Metric, m)
	}
	return f
}

func TestEverySeriesIsOnOnePage(t *testing.T) {
	all := []*dto.MetricFamily{
		family("go_goroutines", ""),
		family("khw_component_up", ""),
		family("rest_client_requests_total", ""),
		family("apiserver_encryption_config_controller_last_config_info", ""),
		family("apiserver_request_total", "name-means-nothing-here"),
		family("scheduler_pending_pods", ""),
		family("cronjob_controller_job_creation_skew_duration_seconds", ""),
		family("node_collector_zone_size", ""),
		family("workqueue_depth", "autoregister", "deployment", "a-controller-of-tomorrow"),
		family("informer_queued_items", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
		family("leader_election_master_status", "kube-scheduler", "kube-controller-manager", "khw-bootstrap"),
	}
	want := map[lab.Component]string{
		lab.APIServer: "go_goroutines khw_component_up rest_client_requests_total apiserver_encryption_config_controller_last_config_info " +
			"apiserver_request_total workqueue_depth(autoregister) informer_queued_items(kube-apiserver) leader_election_master_status(khw-bootstrap)",
		lab.ControllerManager: "cronjob_controller_job_creation_skew_duration_seconds node_collector_zone_size " +
			"workqueue_depth(deployment,a-controller-of-tomorrow) informer_queued_items(kube-controller-manager) leader_election_master_status(kube-controller-manager)",
		lab.Scheduler: "scheduler_pending_pods informer_queued_items(kube-scheduler) leader_election_master_status(kube-scheduler)",
	}
	for _, c := range lab.Components() {
		if got := shown(ownedBy(c, all)); got != want[c] {
			t.Errorf("%s shows\n%s\nwant\n%s", c, got, want[c])
		}
	}
}

func TestADeleteResets(t *testing.T) {
	c := metrics.NewCounter(&metrics.CounterOpts{Name: "scheduler_of_this_test", StabilityLevel: metrics.ALPHA})
	legacyregistry.MustRegister(c)
	page := Page(lab.Scheduler)
	ask := func(method string) string {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest(method, Path, http.NoBody))
		return w.Body.String()
	}
	c.Inc()
	if got := ask(http.MethodGet); !strings.Contains(got, "\nscheduler_of_this_test 1\n") {
		t.Errorf("the page shows\n%s", got)
	}
	if got := ask(http.MethodDelete); got != "metrics reset\n" {
		t.Errorf("a DELETE is answered with\n%s", got)
	}
}

// shown lists families, the shared ones with their series' names.
func shown(families []*dto.MetricFamily) string {
	var out []string
	for _, f := range families {
		text := f.GetName()
		if label, ok := ownerLabel(text); ok {
			var names []string
			for _, m := range f.GetMetric() {
				names = append(names, value(m, label))
			}
			text += "(" + strings.Join(names, ",") + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

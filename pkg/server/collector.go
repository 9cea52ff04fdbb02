// SPDX-License-Identifier: Apache-2.0

package server

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// The controller's own series, on the apiserver's page.
var (
	controllerStatus  = desc("status", "Whether the controller is as the word says: ready, starting, degraded or stopping.", "status")
	componentUp       = desc("component_up", "Whether a component is up and works.", "component")
	componentLeading  = desc("component_leading", "Whether a component holds its leader lease.", "component")
	componentRestarts = desc("component_restarts_total", "How often a component was started again after a failure.", "component")
	certificateExpiry = desc("certificate_expiration_timestamp_seconds", "When a certificate that the controller uses expires, in seconds since 1970.", "path")
	memberUp          = desc("etcd_member_up", "Whether a member of etcd answers this controller and has a leader.", "member")
	memberAlarm       = desc("etcd_member_alarm", "Whether a member of etcd raises an alarm: NOSPACE or CORRUPT.", "member", "alarm")
	processPauses     = desc("process_pauses_total", "How often this process stood still for seconds.")
	memoryLimit       = desc("memory_limit_bytes", "From where on the kernel holds this process back or ends it, by its control group; 0 for nowhere.")
	clockSkew         = desc("clock_skew_seconds", "How far the clocks of the other controllers are from this one's, at most.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("khw_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (o *observer) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		controllerStatus, componentUp, componentLeading, componentRestarts, certificateExpiry, memberUp, memberAlarm, clockSkew, processPauses, memoryLimit,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector with what is known already.
func (o *observer) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	is, _ := o.lifecycle.Status()
	for _, word := range []status.Health{status.Ready, status.Starting, status.Degraded, status.Stopping} {
		gauge(controllerStatus, boolValue(is == word), string(word))
	}
	for _, c := range o.statuses() {
		gauge(componentUp, boolValue(c.State.Up() && c.Unhealthy == ""), c.Component)
		gauge(componentLeading, boolValue(c.State == supervisor.Leading), c.Component)
		ch <- prometheus.MustNewConstMetric(componentRestarts, prometheus.CounterValue, float64(c.Restarts), c.Component)
	}
	etcd, _ := o.etcd.known()
	told := map[string]bool{}
	for _, m := range etcd.Members {
		if told[m.Name] {
			continue // two members may have one name, and no two series
		}
		told[m.Name] = true
		gauge(memberUp, boolValue(m.Error == ""), m.Name)
		for _, alarm := range etcdclient.Alarms {
			gauge(memberAlarm, boolValue(slices.Contains(m.Alarms, alarm)), m.Name, alarm)
		}
	}
	skew, _ := o.skew.known()
	gauge(clockSkew, skew.Worst().Seconds())
	gauge(memoryLimit, float64(o.plan.Machine.Limit))
	ch <- prometheus.MustNewConstMetric(processPauses, prometheus.CounterValue, float64(o.strain.pauses.total()))
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.certificates {
		gauge(certificateExpiry, float64(c.NotAfter.Unix()), c.Path)
	}
}

// boolValue is how a metric says yes or no.
func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

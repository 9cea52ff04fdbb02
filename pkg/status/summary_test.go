// SPDX-License-Identifier: Apache-2.0

package server

import (
	"testing"

	"github.com/khw-controller/khw-controller/pkg/server/supervisor"
)

func TestSummary(t *testing.T) {
	etcd := supervisor.Status{Component: "etcd", State: supervisor.Running}
	tests := map[string]struct {
		statuses []supervisor.Status
		want     string
	}{
		"all up": {
			[]supervisor.Status{etcd, {Component: "kube-scheduler", State: supervisor.Standby, Detail: "controller-1 leads"}},
			"ready: etcd running, kube-scheduler standby (controller-1 leads)",
		},
		"starting": {
			[]supervisor.Status{etcd, {Component: "kube-apiserver", State: supervisor.Starting}},
			"starting: etcd running, kube-apiserver starting",
		},
		"up but not working": {
			[]supervisor.Status{etcd, {Component: "kube-apiserver", State: supervisor.Running, Unhealthy: "/readyz fails: etcd"}},
			"degraded: etcd running, kube-apiserver running (/readyz fails: etcd)",
		},
		"trouble outweighs starting": {
			[]supervisor.Status{{Component: "kube-scheduler", State: supervisor.Restarting, Detail: "in 1s"}, {Component: "kube-controller-manager", State: supervisor.Starting}},
			"degraded: kube-scheduler restarting (in 1s), kube-controller-manager starting",
		},
		"stopping outweighs all": {
			[]supervisor.Status{{Component: "etcd", State: supervisor.Stopping}, {Component: "kube-scheduler", State: supervisor.Failed, Detail: "x"}},
			"stopping: etcd stopping, kube-scheduler failed (x)",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Summary(test.statuses); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

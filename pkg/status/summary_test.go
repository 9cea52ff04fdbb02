// SPDX-License-Identifier: Apache-2.0

package status

import (
	"testing"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

func TestSummarize(t *testing.T) {
	etcd := supervisor.Status{Component: "etcd", State: supervisor.Running}
	tests := map[string]struct {
		components         []supervisor.Status
		problems, warnings []string
		health             Health
		want               string
	}{
		"all up": {
			[]supervisor.Status{etcd, {Component: "kube-scheduler", State: supervisor.Standby, Detail: "controller-1 leads"}},
			nil, nil, Ready,
			"ready: etcd running, kube-scheduler standby (controller-1 leads)",
		},
		"starting": {
			[]supervisor.Status{etcd, {Component: "kube-apiserver", State: supervisor.Starting}},
			nil, nil, Starting,
			"starting: etcd running, kube-apiserver starting",
		},
		"up but not working": {
			[]supervisor.Status{etcd, {Component: "kube-apiserver", State: supervisor.Running, Unhealthy: "/readyz fails: etcd"}},
			nil, nil, Degraded,
			"degraded: etcd running, kube-apiserver running (/readyz fails: etcd)",
		},
		"trouble outweighs starting": {
			[]supervisor.Status{{Component: "kube-scheduler", State: supervisor.Restarting, Detail: "in 1s"}, {Component: "kube-controller-manager", State: supervisor.Starting}},
			nil, nil, Degraded,
			"degraded: kube-scheduler restarting (in 1s), kube-controller-manager starting",
		},
		"stopping outweighs all": {
			[]supervisor.Status{{Component: "etcd", State: supervisor.Stopping}, {Component: "kube-scheduler", State: supervisor.Failed, Detail: "x"}},
			nil, nil, Stopping,
			"stopping: etcd stopping, kube-scheduler failed (x)",
		},
		"an accessory that is not up": {
			[]supervisor.Status{etcd, {Component: "bootstrap", State: supervisor.Starting, Accessory: true}},
			nil, nil, Ready,
			"ready: etcd running, bootstrap starting",
		},
		"problems and warnings": {
			[]supervisor.Status{etcd}, []string{"etcd member a: does not answer"}, []string{"ca.pem expires in 12d"}, Degraded,
			"degraded: etcd running; etcd member a: does not answer; ca.pem expires in 12d",
		},
		"warnings alone": {
			[]supervisor.Status{etcd}, nil, []string{"ca.pem expires in 12d"}, Ready,
			"ready: etcd running; ca.pem expires in 12d",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			health, got := Summarize(test.components, test.problems, test.warnings)
			if health != test.health || got != test.want {
				t.Errorf("got  %s, %q\nwant %s, %q", health, got, test.health, test.want)
			}
		})
	}
}

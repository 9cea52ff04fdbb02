// SPDX-License-Identifier: Apache-2.0

package badinput

import "github.com/khw-controller/khw-controller/test/e2e/harness"

func schedulerConfigs() []member {
	const group, kind = "apiVersion: kubescheduler.config.k8s.io/", "\nkind: KubeSchedulerConfiguration\n"
	put := func(c *harness.Controller, text string) { write(c, "etc/kubernetes/config/kube-scheduler.yaml", text) }
	return each(put, "", map[string]string{
		"text":                      "hello",
		"a tab":                     group + "v1" + kind + "\tx: y\n",
		"an unknown version":        group + "v9" + kind,
		"another kind":              "apiVersion: v1\nkind: ConfigMap\n",
		"a policy":                  "apiVersion: v1\nkind: Policy\npredicates: []\n",
		"an unknown key":            group + "v1" + kind + "parallelismm: 3\n",
		"an unknown key, v1beta3":   group + "v1beta3" + kind + "parallelismm: 3\n",
		"an unknown plugin":         group + "v1" + kind + "profiles: [{plugins: {filter: {enabled: [{name: NoSuch}]}}}]\n",
		"two profiles of one name":  group + "v1" + kind + "profiles: [{schedulerName: a}, {schedulerName: a}]\n",
		"a negative parallelism":    group + "v1" + kind + "parallelism: -1\n",
		"a share of the nodes":      group + "v1" + kind + "percentageOfNodesToScore: 101\n",
		"a word for a number":       group + "v1" + kind + "parallelism: many\n",
		"no duration":               group + "v1" + kind + "leaderElection: {leaseDuration: soon}\n",
		"an extender without a URL": group + "v1" + kind + "extenders: [{filterVerb: filter}]\n",
		"a short lease":             group + "v1" + kind + "leaderElection: {leaderElect: true, leaseDuration: 1s, renewDeadline: 2s}\n",
		"a backoff":                 group + "v1" + kind + "podInitialBackoffSeconds: 10\npodMaxBackoffSeconds: 1\n",
	})
}

func configFiles() []member {
	const path = "etc/kubernetes/config/khw-controller.yaml"
	put := func(c *harness.Controller, text string) { write(c, path, text) }
	return each(put, path, map[string]string{
		"an unknown key":        "advertise-addresss: 10.240.0.10\n",
		"a tab":                 "v: 2\n\tlogging-format: text\n",
		"a list":                "- v: 2\n",
		"a word":                "hello\n",
		"a key twice":           "v: 2\nv: 3\n",
		"a list for a word":     "advertise-address: [10.240.0.10]\n",
		"a map for a word":      "advertise-address: {a: b}\n",
		"a word for a map":      "kube-apiserver-arg: {event-ttl: {a: b}}\n",
		"capitals":              "Advertise-Address: 10.240.0.10\n",
		"two documents":         "v: 2\n---\nv: 3\n",
		"dashes":                "--v: 2\n",
		"not closed":            "etcd-servers: [https://127.0.0.1:2379\n",
		"a component's flag":    "event-ttl: 2h\n",
		"another's kind of doc": "apiVersion: v1\nkind: ConfigMap\n",
	})
}

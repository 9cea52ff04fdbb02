// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// labSchedulerFile is the lab's kube-scheduler.yaml.
func labSchedulerFile(t *testing.T) string {
	t.Helper()
	_, file, found := strings.Cut(labText(t), "kube-scheduler.yaml\n")
	file, _, ended := strings.Cut(file, "EOF\n")
	if !found || !ended {
		t.Fatal("the lab has no kube-scheduler.yaml")
	}
	return file
}

func TestSchedulerConfig(t *testing.T) {
	const head = "apiVersion: componentconfig/v1alpha1\nkind: KubeSchedulerConfiguration\n"
	const today = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
	tests := map[string]struct {
		file            string
		flags, fallback map[string]string
		want            string
		notices         int
	}{
		"the lab's": {
			file: labSchedulerFile(t), fallback: ClientLimits(), want: today + `clientConnection:
  kubeconfig: /var/lib/kubernetes/kube-scheduler.kubeconfig
  qps: 5000
  burst: 10000
leaderElection: {leaderElect: true}
`,
		},
		"none": {
			flags: map[string]string{"kubeconfig": "/k"}, want: today + "clientConnection: {kubeconfig: /k}\n",
		},
		"today's, with its own limits, and a flag over it": {
			file:     today + "clientConnection: {kubeconfig: /k, qps: 50}\nparallelism: 4\n",
			flags:    map[string]string{"kube-api-burst": "7"},
			fallback: ClientLimits(),
			want:     today + "clientConnection: {kubeconfig: /k, qps: 50, burst: 7}\nparallelism: 4\n",
		},
		"all of 2018": {
			file: head + `schedulerName: mine
algorithmSource: {provider: DefaultProvider}
hardPodAffinitySymmetricWeight: 1
healthzBindAddress: 0.0.0.0:10251
metricsBindAddress: 0.0.0.0:10251
failureDomains: kubernetes.io/hostname
disablePreemption: false
enableProfiling: true
leaderElection: {leaderElect: true, leaseDuration: 20s, resourceLock: endpoints, lockObjectNamespace: a, lockObjectName: b}
`,
			want: today + `profiles: [{schedulerName: mine, pluginConfig: [{name: InterPodAffinity, args: {hardPodAffinityWeight: 1}}]}]
enableProfiling: true
leaderElection: {leaderElect: true, leaseDuration: 20s, resourceNamespace: a, resourceName: b}
`,
			notices: 4,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, notices, err := SchedulerConfig([]byte(test.file), test.flags, test.fallback)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := canonical(t, got), canonical(t, []byte(test.want)); a != b {
				t.Errorf("got\n%swant\n%s", a, b)
			}
			if len(notices) != test.notices {
				t.Errorf("%d notices, want %d: %q", len(notices), test.notices, notices)
			}
		})
	}
}

// canonical writes YAML with sorted keys.
func canonical(t *testing.T, doc []byte) string {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(doc, &v); err != nil {
		t.Fatal(err)
	}
	out, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestSchedulerConfigRefusesWhatItCannotHonour(t *testing.T) {
	const head = "apiVersion: componentconfig/v1alpha1\nkind: KubeSchedulerConfiguration\n"
	for file, says := range map[string]string{
		head + "disablePreemption: 1\n":                           "disablePreemption",
		head + "algorithmSource: {policy: {file: {path: /p}}}\n":  "algorithmSource.policy",
		head + "algorithmSource: {provider: ClusterAutoscaler}\n": "algorithmSource",
		head + "nonsense: 1\n":                                    "nonsense",
		head + "leaderElection: {nonsense: 1}\n":                  "leaderElection.nonsense",
		head + "clientConnection: 1\n":                            "clientConnection is not a map",
		head + "kind: KubeSchedulerConfiguration\n":               "kind",
		"kind: Pod\napiVersion: v1\n":                             "kind is Pod",
		"kind: KubeSchedulerConfiguration\napiVersion: v1\n":      "apiVersion is v1",
		"kind: [\n": "yaml",
	} {
		if _, _, err := SchedulerConfig([]byte(file), nil, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want an error that says %q", file, err, says)
		}
	}
	if _, _, err := SchedulerConfig(nil, map[string]string{"kube-api-qps": "many"}, nil); err == nil || !strings.Contains(err.Error(), "--kube-api-qps=many") {
		t.Errorf("kube-api-qps=many: %v", err)
	}
}

// TestProfilingIsAKeyOfTheDocument has the flags that the scheduler ignores beside a
// file beat it, and a fallback hold where it says nothing.
func TestProfilingIsAKeyOfTheDocument(t *testing.T) {
	const head = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
	on, off := map[string]string{"profiling": "true"}, map[string]string{"profiling": "false"}
	for name, test := range map[string]struct {
		file            string
		flags, fallback map[string]string
		want            any
	}{
		"nobody says":               {head, nil, nil, nil},
		"a flag":                    {head, off, nil, false},
		"a flag beats the file":     {head + "enableProfiling: false\n", on, nil, true},
		"a flag beats the fallback": {head, on, off, true},
		"the fallback":              {head, nil, off, false},
		"the file beats it":         {head + "enableProfiling: true\n", nil, off, true},
	} {
		out, _, err := SchedulerConfig([]byte(test.file), test.flags, test.fallback)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := yaml.Unmarshal(out, &doc); err != nil {
			t.Fatal(err)
		}
		if doc["enableProfiling"] != test.want {
			t.Errorf("%s: %v, want %v", name, doc["enableProfiling"], test.want)
		}
		if c, _ := doc["clientConnection"].(map[string]any); len(c) > 0 {
			t.Errorf("%s: clientConnection has %v", name, c)
		}
	}
	if _, _, err := SchedulerConfig(nil, map[string]string{"profiling": "maybe"}, nil); err == nil || !strings.Contains(err.Error(), "--profiling=maybe") {
		t.Errorf("profiling=maybe: %v", err)
	}
	if !IsInSchedulerConfig("profiling") || !IsInSchedulerConfig("kubeconfig") || IsInSchedulerConfig("v") {
		t.Error("profiling and kubeconfig are in the configuration, v is not")
	}
}

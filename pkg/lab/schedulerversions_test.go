// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	schedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/validation"
)

// accepted is an error when this Kubernetes' scheduler does not load a
// configuration, strictly.
func accepted(config []byte) error {
	obj, _, err := scheme.Codecs.UniversalDecoder().Decode(config, nil, nil)
	if err != nil {
		return err
	}
	return validation.ValidateKubeSchedulerConfiguration(obj.(*schedulerconfig.KubeSchedulerConfiguration))
}

func TestOldSchedulerConfigs(t *testing.T) {
	const kind = "kind: KubeSchedulerConfiguration\n"
	const today = "apiVersion: kubescheduler.config.k8s.io/v1\n" + kind
	old := func(version schedulerVersion) string { return "apiVersion: " + version.String() + "\n" + kind }
	tests := map[string]struct {
		file    string
		want    string
		notices []string
	}{
		"v1alpha1, as documented": {
			file: old(v1Alpha1) + `schedulerName: my-scheduler
algorithmSource: {provider: DefaultProvider}
leaderElection: {leaderElect: true, lockObjectName: my-scheduler, lockObjectNamespace: kube-system, resourceNamespace: kube-system}
percentageOfNodesToScore: 50
podInitialBackoffSeconds: 1
podMaxBackoffSeconds: 10
bindTimeoutSeconds: 100
`,
			want: today + `profiles: [{schedulerName: my-scheduler, pluginConfig: [{name: VolumeBinding, args: {bindTimeoutSeconds: 100}}]}]
leaderElection: {leaderElect: true, resourceName: my-scheduler, resourceNamespace: kube-system}
percentageOfNodesToScore: 50
podInitialBackoffSeconds: 1
podMaxBackoffSeconds: 10
`,
		},
		"v1alpha1 with plugins, postFilter by its old meaning": {
			file: old(v1Alpha1) + `plugins:
  postFilter: {enabled: [{name: InterPodAffinity}]}
  score: {disabled: [{name: ImageLocality}]}
  unreserve: {enabled: [{name: VolumeBinding}]}
pluginConfig: [{name: InterPodAffinity, args: {hardPodAffinityWeight: 7}}]
`,
			want: today + `profiles:
- plugins: {preScore: {enabled: [{name: InterPodAffinity}]}, score: {disabled: [{name: ImageLocality}]}}
  pluginConfig: [{name: InterPodAffinity, args: {hardPodAffinityWeight: 7}}]
`,
			notices: []string{"plugins.unreserve"},
		},
		"the provider that packs nodes": {
			file: old(v1Alpha1) + "algorithmSource: {provider: ClusterAutoscalerProvider}\n",
			want: today + "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated}}}]}]\n",
		},
		"no preemption": {
			file: old(componentConfigV1Alpha1) + "disablePreemption: true\n",
			want: today + "profiles: [{plugins: {postFilter: {disabled: [{name: DefaultPreemption}]}}}]\n",
		},
		"v1alpha2, two profiles, for both of which something held": {
			file: old(v1Alpha2) + `disablePreemption: true
bindTimeoutSeconds: 60
profiles: [{schedulerName: default-scheduler}, {schedulerName: other, plugins: {score: {disabled: [{name: "*"}]}}}]
healthzBindAddress: 0.0.0.0:10251
`,
			want: today + `profiles:
- schedulerName: default-scheduler
  plugins: {postFilter: {disabled: [{name: DefaultPreemption}]}}
  pluginConfig: [{name: VolumeBinding, args: {bindTimeoutSeconds: 60}}]
- schedulerName: other
  plugins: {score: {disabled: [{name: "*"}]}, postFilter: {disabled: [{name: DefaultPreemption}]}}
  pluginConfig: [{name: VolumeBinding, args: {bindTimeoutSeconds: 60}}]
`,
			notices: []string{"healthzBindAddress"},
		},
		"v1alpha2 with an extender": {
			file: old(v1Alpha2) + `extenders: [{urlPrefix: "https://e/", enableHttps: true, httpTimeout: 30000000000, filterVerb: filter, weight: 1}]
`,
			want: today + `extenders: [{urlPrefix: "https://e/", enableHTTPS: true, httpTimeout: 30s, filterVerb: filter, weight: 1}]
`,
		},
		"v1beta1, packing nodes": {
			file: old(v1Beta1) + `profiles:
- schedulerName: packing
  plugins:
    score:
      disabled: [{name: NodeResourcesLeastAllocated}, {name: NodeLabel}]
      enabled: [{name: NodeResourcesMostAllocated, weight: 2}]
  pluginConfig:
  - name: NodeResourcesMostAllocated
    args: {apiVersion: kubescheduler.config.k8s.io/v1beta1, kind: NodeResourcesMostAllocatedArgs, resources: [{name: cpu, weight: 1}]}
`,
			want: today + `profiles:
- schedulerName: packing
  plugins: {score: {enabled: [{name: NodeResourcesFit, weight: 2}]}}
  pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}]}}}]
`,
		},
		"v1beta1, a capacity ratio beside a fit": {
			file: old(v1Beta1) + `profiles:
- plugins: {score: {enabled: [{name: RequestedToCapacityRatio}]}}
  pluginConfig:
  - {name: NodeResourcesFit, args: {ignoredResources: [example.com/foo]}}
  - {name: RequestedToCapacityRatio, args: {shape: [{utilization: 0, score: 0}, {utilization: 100, score: 10}], resources: [{name: cpu, weight: 1}]}}
`,
			want: today + `profiles:
- plugins: {score: {enabled: [{name: NodeResourcesFit}]}}
  pluginConfig:
  - name: NodeResourcesFit
    args:
      ignoredResources: [example.com/foo]
      scoringStrategy:
        type: RequestedToCapacityRatio
        resources: [{name: cpu, weight: 1}]
        requestedToCapacityRatio: {shape: [{utilization: 0, score: 0}, {utilization: 100, score: 10}]}
`,
		},
		"v1beta1, the default strategy's resources": {
			file: old(v1Beta1) + "profiles: [{pluginConfig: [{name: NodeResourcesLeastAllocated, args: {resources: [{name: cpu, weight: 3}]}}]}]\n",
			want: today + "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: LeastAllocated, resources: [{name: cpu, weight: 3}]}}}]}]\n",
		},
		"v1beta1, the default strategy off, another's arguments": {
			file:    old(v1Beta1) + "profiles: [{plugins: {score: {disabled: [{name: NodeResourcesLeastAllocated}]}}, pluginConfig: [{name: NodeResourcesMostAllocated}]}]\n",
			want:    today + "profiles: [{plugins: {score: {disabled: [{name: NodeResourcesFit}]}}}]\n",
			notices: []string{"pluginConfig of MostAllocated"},
		},
		"v1beta1, constraints by list": {
			file: old(v1Beta1) + `profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]}}]}]
`,
			want: today + `profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultingType: List, defaultConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]}}]}]
`,
		},
		"v1beta2, plugins that are gone": {
			file: old(v1Beta2) + `parallelism: 8
metricsBindAddress: ""
profiles:
- plugins:
    filter: {enabled: [{name: EBSLimits}, {name: NodeName}]}
    score: {enabled: [{name: SelectorSpread, weight: 1}], disabled: [{name: SelectorSpread}]}
`,
			want: today + `parallelism: 8
profiles: [{plugins: {filter: {enabled: [{name: NodeName}]}, score: {}}}]
`,
			notices: []string{"filter.enabled[0]: EBSLimits", "score.enabled[0]: SelectorSpread", "metricsBindAddress"},
		},
		"v1beta3": {
			file: old(v1Beta3) + `clientConnection: {kubeconfig: /k, qps: 100}
enableContentionProfiling: true
profiles:
- schedulerName: default-scheduler
  plugins: {multiPoint: {disabled: [{name: ImageLocality}]}}
  pluginConfig: [{name: NodeResourcesFit, args: {apiVersion: kubescheduler.config.k8s.io/v1beta3, kind: NodeResourcesFitArgs, scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}]}}}]
`,
			want: today + `clientConnection: {kubeconfig: /k, qps: 100}
enableContentionProfiling: true
profiles:
- schedulerName: default-scheduler
  plugins: {multiPoint: {disabled: [{name: ImageLocality}]}}
  pluginConfig: [{name: NodeResourcesFit, args: {apiVersion: kubescheduler.config.k8s.io/v1, kind: NodeResourcesFitArgs, scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}]}}}]
`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, notices, err := SchedulerConfig([]byte(test.file), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := canonical(t, got), canonical(t, []byte(test.want)); a != b {
				t.Errorf("got\n%swant\n%s", a, b)
			}
			if err := accepted(got); err != nil {
				t.Errorf("this Kubernetes' scheduler does not accept it: %v", err)
			}
			if len(notices) != len(test.notices) {
				t.Fatalf("notices: %q, want %d", notices, len(test.notices))
			}
			for i, n := range test.notices {
				if !strings.Contains(notices[i], n+" is left out: ") {
					t.Errorf("%q is not about %s", notices[i], n)
				}
			}
		})
	}
}

func TestOldSchedulerConfigsThatCannotBeHonoured(t *testing.T) {
	score := func(enabled string) string {
		return "profiles: [{}, {plugins: {score: {enabled: [" + enabled + "]}}}]\n"
	}
	tests := map[string]struct {
		version schedulerVersion
		doc     string
		says    []string
	}{
		"a policy":                     {v1Alpha1, "algorithmSource: {policy: {configMap: {name: a, namespace: b}}}\n", []string{"algorithmSource.policy", "v1.23", "profile"}},
		"a provider of one's own":      {v1Alpha1, "algorithmSource: {provider: Mine}\n", []string{"algorithmSource.provider: Mine", "profile"}},
		"NodeLabel":                    {v1Beta1, score("{name: ImageLocality}, {name: NodeLabel}"), []string{"profiles[1].plugins.score.enabled[1]", "NodeLabel", "v1.23", "addedAffinity"}},
		"ServiceAffinity":              {v1Beta1, score("{name: ServiceAffinity}"), []string{"profiles[1].plugins.score.enabled[0]", "ServiceAffinity", "PodTopologySpread"}},
		"NodeResourceLimits":           {v1Alpha2, score("{name: NodeResourceLimits}"), []string{"NodeResourceLimits", "scoringStrategy"}},
		"two strategies":               {v1Beta1, score("{name: NodeResourcesLeastAllocated}, {name: NodeResourcesMostAllocated}"), []string{"score.enabled[1]", "LeastAllocated and MostAllocated", "remove one"}},
		"a strategy twice":             {v1Beta2, "profiles: [{plugins: {score: {enabled: [{name: NodeResourcesMostAllocated}]}}, pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: LeastAllocated}}}]}]\n", []string{"scoringStrategy of plugin NodeResourcesFit are one", "remove one"}},
		"a time-out twice":             {v1Alpha2, "bindTimeoutSeconds: 1\nprofiles: [{pluginConfig: [{name: VolumeBinding, args: {bindTimeoutSeconds: 2}}]}]\n", []string{"bindTimeoutSeconds", "VolumeBinding", "remove one"}},
		"two names of one lock":        {v1Alpha1, "leaderElection: {lockObjectName: a, resourceName: b}\n", []string{"leaderElection.lockObjectName is a", "leaderElection.resourceName is b"}},
		"a key of a later version":     {v1Alpha1, "profiles: []\n", []string{"unknown key profiles in kubescheduler.config.k8s.io/v1alpha1"}},
		"a key of an earlier version":  {v1Beta3, "healthzBindAddress: a\n", []string{"unknown key healthzBindAddress in kubescheduler.config.k8s.io/v1beta3"}},
		"a key of the lab's successor": {componentConfigV1Alpha1, "percentageOfNodesToScore: 5\n", []string{"unknown key percentageOfNodesToScore in componentconfig/v1alpha1"}},
		"a key of a profile":           {v1Beta1, "profiles: [{name: a}]\n", []string{"unknown key profiles[0].name"}},
		"a point":                      {v1Beta1, "profiles: [{plugins: {filters: {}}}]\n", []string{"profiles[0].plugins.filters"}},
		"no list":                      {v1Beta1, "profiles: {}\n", []string{"profiles is not a list"}},
		"no map":                       {v1Beta1, "profiles: [a]\n", []string{"profiles[0] is not a map"}},
		"arguments that are no map":    {v1Beta1, "profiles: [{pluginConfig: [{name: VolumeBinding, args: a}]}]\n", []string{"profiles[0].pluginConfig[0].args is not a map"}},
		"an extender's time-out":       {v1Alpha2, "extenders: [{httpTimeout: 30s}]\n", []string{"extenders[0].httpTimeout is 30s", "nanoseconds"}},
		"an extender that is no map":   {v1Beta1, "extenders: [a]\n", []string{"extenders[0] is not a map"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := SchedulerConfig([]byte("apiVersion: "+test.version.String()+"\nkind: KubeSchedulerConfiguration\n"+test.doc), nil, nil)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, s := range test.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
	if _, _, err := SchedulerConfig([]byte("kind: Policy\napiVersion: v1\npredicates: []\n"), nil, nil); err == nil || !strings.Contains(err.Error(), "policies were removed in v1.23") {
		t.Errorf("a policy file: %v", err)
	}
}

// TestNoOldVersionIsLeftOut asks this Kubernetes which versions it knows itself.
func TestNoOldVersionIsLeftOut(t *testing.T) {
	for _, version := range append([]string{schedulerV1}, oldSchedulerVersions...) {
		doc := []byte("apiVersion: " + version + "\nkind: KubeSchedulerConfiguration\n")
		if err := accepted(doc); runtime.IsNotRegisteredError(err) != (version != schedulerV1) {
			t.Errorf("%s: %v", version, err)
		}
		out, _, err := SchedulerConfig(doc, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", version, err)
		}
		if err := accepted(out); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"slices"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

func FuzzSchedulerConfig(f *testing.F) {
	f.Add([]byte("apiVersion: componentconfig/v1alpha1\nkind: KubeSchedulerConfiguration\nleaderElection: {resourceLock: endpoints}\n"))
	f.Add([]byte("apiVersion: kubescheduler.config.k8s.io/v1alpha1\nkind: KubeSchedulerConfiguration\nplugins: {postFilter: {enabled: [{name: a}]}}\nhardPodAffinitySymmetricWeight: 2\ndisablePreemption: true\n"))
	f.Add([]byte("apiVersion: kubescheduler.config.k8s.io/v1alpha2\nkind: KubeSchedulerConfiguration\nprofiles: [{}, null]\nextenders: [{httpTimeout: 1}]\nbindTimeoutSeconds: 3\n"))
	f.Add([]byte("apiVersion: kubescheduler.config.k8s.io/v1beta1\nkind: KubeSchedulerConfiguration\nprofiles: [{plugins: {score: {enabled: [{name: RequestedToCapacityRatio}], disabled: [{name: '*'}]}}, pluginConfig: [{name: RequestedToCapacityRatio, args: {shape: []}}]}]\n"))
	f.Add([]byte("apiVersion: kubescheduler.config.k8s.io/v1beta3\nkind: KubeSchedulerConfiguration\nclientConnection: null\nparallelism: 2\n"))
	f.Add([]byte("apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nclientConnection: null\n"))
	f.Add([]byte("apiVersion: v1\nkind: Policy\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		out, _, err := lab.SchedulerConfig(file, nil, lab.ClientLimits())
		if err != nil {
			return
		}
		if _, notices, err := lab.SchedulerConfig(out, nil, lab.ClientLimits()); err != nil || len(notices) > 0 {
			t.Errorf("not in today's form after a conversion: %v, %q\n%s", err, notices, out)
		}
	})
}

func FuzzTranslateArgv(f *testing.F) {
	f.Add("--kubelet-https=true\n--v=2")
	f.Add("--runtime-config\napi/all,x")
	f.Add("--enable_admission_plugins=Initializers,,")
	f.Fuzz(func(t *testing.T, words string) {
		argv := strings.Split(words, "\n")
		for _, c := range lab.Components() {
			out, _, err := lab.TranslateArgv(c, argv)
			if err != nil {
				continue
			}
			again, notices, err := lab.TranslateArgv(c, out)
			if err != nil || !slices.Equal(again, out) {
				t.Errorf("%s: not in today's form after a translation: %q, then %q, %v, %q", c, out, again, err, notices)
			}
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	psaapi "k8s.io/pod-security-admission/api"
	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/pkg/profile"
)

// podSecurityItems are section 5.2. Which level of the Pod Security Standards keeps such
// pods out is in the standards themselves
// (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
var podSecurityItems = []item{
	{id: "5.2.1", title: "something decides which pods are let in", judgeCluster: func(in *input, o *objects) verdict {
		if len(o.podWebhooks()) > 0 {
			return passes("webhooks: " + list(o.podWebhooks()))
		}
		return enforced(psaapi.LevelBaseline)(in, o)
	}},
	{id: "5.2.2", title: "no privileged containers", judgeCluster: enforced(psaapi.LevelBaseline)},
	{id: "5.2.3", title: "no containers that see the host's processes", judgeCluster: enforced(psaapi.LevelBaseline)},
	{id: "5.2.4", title: "no containers in the host's IPC", judgeCluster: enforced(psaapi.LevelBaseline)},
	{id: "5.2.5", title: "no containers in the host's network", judgeCluster: enforced(psaapi.LevelBaseline)},
	{id: "5.2.6", title: "no containers that gain privileges", judgeCluster: enforced(psaapi.LevelRestricted)},
	{id: "5.2.7", title: "no containers as root", judgeCluster: enforced(psaapi.LevelRestricted)},
	{id: "5.2.8", title: "no containers with NET_RAW", judgeCluster: enforced(psaapi.LevelRestricted)},
	{id: "5.2.9", title: "no containers with capabilities", judgeCluster: enforced(psaapi.LevelRestricted)},
	{id: "5.2.10", title: "no HostProcess containers (Windows)", judgeCluster: enforced(psaapi.LevelBaseline)},
	{id: "5.2.11", title: "no directories of the host in pods", judgeCluster: enforced(psaapi.LevelBaseline)},
	{id: "5.2.12", title: "no ports of the host in pods", judgeCluster: enforced(psaapi.LevelBaseline)},
}

// otherPolicyItems are sections 5.3 to 5.6.
var otherPolicyItems = []item{
	{id: "5.3.1", title: "the network knows NetworkPolicies", judgeCluster: forPeople("the API takes NetworkPolicies whether the network on the nodes knows them or not")},
	{id: "5.3.2", title: "every namespace with pods has a NetworkPolicy", judgeCluster: networkPolicies},
	{id: "5.4.1", title: "Secrets come to pods as files, not in the environment", judgeCluster: secretsInEnvironment},
	{id: "5.4.2", title: "Secrets may be kept outside", judgeCluster: forPeople("a store of your own, and its driver, are for you to choose")},
	{id: "5.5.1", title: "somebody decides whose images are let in", judgeCluster: func(in *input, o *objects) verdict {
		switch {
		case in.plugin("ImagePolicyWebhook"):
			return passes("the plugin ImagePolicyWebhook is on")
		case len(o.podWebhooks()) > 0:
			return passes("webhooks for pods, which may: " + list(o.podWebhooks()))
		}
		return differs("the lab takes images from everywhere: to decide needs a service of yours, behind ImagePolicyWebhook or an admission webhook")
	}},
	{id: "5.6.1", title: "namespaces part who does not belong together", judgeCluster: forPeople("who belongs together the API does not know")},
	{id: "5.6.2", title: "pods have a seccomp profile", judgeCluster: podsWithout("securityContext.seccompProfile: {type: RuntimeDefault}", hasSeccomp)},
	{id: "5.6.3", title: "pods and containers have a security context", judgeCluster: podsWithout("a securityContext", hasSecurityContext)},
	{id: "5.6.4", title: "nothing runs in the namespace default", judgeCluster: func(_ *input, o *objects) verdict {
		var found []string
		for _, p := range o.running() {
			if p.Namespace == metav1.NamespaceDefault {
				found = append(found, p.Name)
			}
		}
		if len(found) > 0 {
			return fails("pods in default: "+list(found), "give them a namespace: kubectl create namespace NAME")
		}
		return passes("no pod is there")
	}},
}

func forPeople(why string) func(*input, *objects) verdict {
	return func(*input, *objects) verdict { return skipped("for you to judge: " + why) }
}

// ours are the namespaces that the cluster itself has, whose pods are its own.
var ours = []string{metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease}

// workloads are the running pods that are not the cluster's own.
func (o *objects) workloads() []corev1.Pod {
	return slices.DeleteFunc(o.running(), func(p corev1.Pod) bool { return slices.Contains(ours, p.Namespace) })
}

// podSecurity is what the admission configuration says of Pod Security.
type podSecurity struct {
	Defaults   struct{ Enforce string }
	Exemptions struct{ Namespaces []string }
}

// podSecurity reads it; without it, everything is let in where no label says else.
func (in *input) podSecurity() (podSecurity, error) {
	var file struct {
		Plugins []struct {
			Name, Path    string
			Configuration *podSecurity
		}
	}
	none := podSecurity{}
	if in.AdmissionConfig.Path == "" {
		return none, nil
	}
	if err := readYAML(in.AdmissionConfig.Path, &file); err != nil {
		return none, err
	}
	for _, p := range file.Plugins {
		switch {
		case p.Name != "PodSecurity":
		case p.Configuration != nil:
			return *p.Configuration, nil
		case p.Path != "":
			err := readYAML(in.beside(p.Path), &none)
			return none, err
		}
	}
	return none, nil
}

// beside is a path of the admission configuration, which is relative to that file
// (k8s.io/apiserver/pkg/admission/config.go, makeAbs).
func (in *input) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(in.AdmissionConfig.Path), path)
}

func readYAML(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(data, into)
}

// enforced wants every namespace but the cluster's own, and those that are exempt, to
// refuse what a level does.
func enforced(level psaapi.Level) func(*input, *objects) verdict {
	return func(in *input, o *objects) verdict {
		if !in.plugin("PodSecurity") {
			return fails("the plugin PodSecurity is off", "remove what takes it away")
		}
		c, err := in.podSecurity()
		if err != nil {
			return fails(err.Error(), "correct "+in.AdmissionConfig.String())
		}
		defaults := psaapi.Level(c.Defaults.Enforce)
		if defaults == "" {
			defaults = psaapi.LevelPrivileged
		}
		var open, byHand []string
		for _, n := range o.namespaces {
			set, labelled := n.Labels[psaapi.EnforceLevelLabel]
			has := defaults
			if labelled {
				has = psaapi.Level(set)
			}
			switch {
			case slices.Contains(ours, n.Name) || psaapi.CompareLevels(has, level) >= 0 && !slices.Contains(c.Exemptions.Namespaces, n.Name):
			case labelled || slices.Contains(c.Exemptions.Namespaces, n.Name):
				byHand = append(byHand, n.Name)
			default:
				open = append(open, n.Name)
			}
		}
		label := func(names []string) string {
			return "kubectl label --overwrite namespace " + names[0] + " " + psaapi.EnforceLevelLabel + "=" + string(level)
		}
		switch {
		case len(open) == 0 && len(byHand) == 0:
			return passes("every namespace but Kubernetes' own enforces " + string(level))
		case len(byHand) > 0:
			return fails("namespaces that do not enforce "+string(level)+", by their labels or an exemption: "+list(byHand), label(byHand))
		case level == psaapi.LevelRestricted && defaults == psaapi.LevelBaseline:
			return differs("most images as they are published, those of the lab's smoke tests among them, would be refused: restricted is a warning where profile: " +
				profile.CIS + " has made the configuration. A namespace for which it can be: " + label(open))
		}
		return fails("namespaces that do not enforce "+string(level)+": "+list(open), "set profile: "+profile.CIS+" for baseline everywhere, or "+label(open))
	}
}

// podWebhooks are the webhooks that are asked for every pod.
func (o *objects) podWebhooks() []string {
	var found []string
	for _, c := range o.webhooks {
		for _, w := range c.Webhooks {
			for _, r := range w.Rules {
				if slices.Contains(r.Resources, "pods") || slices.Contains(r.Resources, "*") || slices.Contains(r.Resources, "*/*") {
					found = append(found, c.Name)
				}
			}
		}
	}
	return slices.Compact(found)
}

func networkPolicies(_ *input, o *objects) verdict {
	var open []string
	for _, p := range o.workloads() {
		if !slices.Contains(open, p.Namespace) && !slices.ContainsFunc(o.policies, func(n networkingv1.NetworkPolicy) bool { return n.Namespace == p.Namespace }) {
			open = append(open, p.Namespace)
		}
	}
	if len(open) > 0 {
		return fails("namespaces with pods and without a NetworkPolicy: "+list(open), "begin with one that denies all, and allow what is needed: kubectl -n "+open[0]+" create -f POLICY")
	}
	return passes("none is without")
}

func secretsInEnvironment(_ *input, o *objects) verdict {
	var found []string
	for _, p := range o.workloads() {
		if slices.ContainsFunc(containers(p), func(c corev1.Container) bool {
			return slices.ContainsFunc(c.EnvFrom, func(e corev1.EnvFromSource) bool { return e.SecretRef != nil }) ||
				slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil })
		}) {
			found = append(found, qualified(p.Namespace, p.Name))
		}
	}
	if len(found) > 0 {
		return fails("pods with Secrets in their environment: "+list(found), "mount them as a volume")
	}
	return passes("no running pod has one there")
}

// containers are all of a pod.
func containers(p corev1.Pod) []corev1.Container {
	return slices.Concat(p.Spec.InitContainers, p.Spec.Containers)
}

// podsWithout wants all pods that are not the cluster's own to have something.
func podsWithout(what string, has func(corev1.Pod) bool) func(*input, *objects) verdict {
	return func(_ *input, o *objects) verdict {
		var without []string
		for _, p := range o.workloads() {
			if !has(p) {
				without = append(without, qualified(p.Namespace, p.Name))
			}
		}
		if len(without) > 0 {
			return fails("pods without: "+list(without), "give them "+what)
		}
		return passes("no running pod is without")
	}
}

func hasSeccomp(p corev1.Pod) bool {
	if p.Spec.SecurityContext != nil && confined(p.Spec.SecurityContext.SeccompProfile) {
		return true
	}
	return !slices.ContainsFunc(containers(p), func(c corev1.Container) bool {
		return c.SecurityContext == nil || !confined(c.SecurityContext.SeccompProfile)
	})
}

func confined(s *corev1.SeccompProfile) bool {
	return s != nil && s.Type != corev1.SeccompProfileTypeUnconfined
}

// hasSecurityContext reports whether somebody has thought of it: admission gives every
// pod an empty one.
func hasSecurityContext(p corev1.Pod) bool {
	if s := p.Spec.SecurityContext; s != nil && !equality.Semantic.DeepEqual(*s, corev1.PodSecurityContext{}) {
		return true
	}
	return !slices.ContainsFunc(containers(p), func(c corev1.Container) bool { return c.SecurityContext == nil })
}

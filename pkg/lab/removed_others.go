// SPDX-License-Identifier: Apache-2.0

package lab

// Reasons that several rows share.
const (
	fileLogsGone    = "Logs go to standard error only, where the service manager collects them; redirect them, and remove the flag."
	fileLogsTuning  = "It was about log files, and logs go to standard error only."
	logHeaders      = "It was about the look of log lines, which is fixed since; --logging-format=json is the other one."
	policyGone      = "Scheduler policies were removed; describe predicates and priorities as plugins of a profile in the file of --config (kubescheduler.config.k8s.io/v1)."
	networkTestGone = "The volume plugins that dialed addresses themselves were removed."
	notReadGone     = "Nothing read it any more."
	httpPortMoved   = "The plain-HTTP port is gone; the HTTPS port took its place, and --bind-address is its address."
)

// logRemoved are klog's flags, which every component had; only --v and --vmodule
// are left.
var logRemoved = []Removed{
	{Name: "add-dir-header", Release: "v1.26", Harmless: []string{anyValue}, Bool: true, Why: logHeaders},
	{Name: "alsologtostderr", Release: "v1.26", Harmless: []string{anyValue}, Bool: true, Why: fileLogsTuning},
	{Name: "log-backtrace-at", Release: "v1.26", Harmless: []string{anyValue}, Why: "Stack traces at a line of code cannot be asked for any more."},
	{Name: "log-dir", Release: "v1.26", Harmless: []string{""}, Why: fileLogsGone},
	{Name: "log-file", Release: "v1.26", Harmless: []string{""}, Why: fileLogsGone},
	{Name: "log-file-max-size", Release: "v1.26", Harmless: []string{anyValue}, Why: fileLogsTuning},
	{Name: "logtostderr", Release: "v1.26", Harmless: []string{"true"}, Bool: true, Why: fileLogsGone},
	{Name: "one-output", Release: "v1.26", Harmless: []string{anyValue}, Bool: true, Why: fileLogsTuning},
	{Name: "skip-headers", Release: "v1.26", Harmless: []string{anyValue}, Bool: true, Why: logHeaders},
	{Name: "skip-log-headers", Release: "v1.26", Harmless: []string{anyValue}, Bool: true, Why: fileLogsTuning},
	{Name: "stderrthreshold", Release: "v1.26", Harmless: []string{anyValue}, Why: fileLogsTuning},
}

var controllerManagerRemoved = []Removed{
	{Name: "address", Release: "v1.24", Current: "bind-address",
		Why: "The plain-HTTP port 10252 is gone; the HTTPS port 10257 took its place, and --bind-address is its address."},
	{Name: "cloud-provider-gce-lb-src-cidrs", Release: "v1.31", Harmless: []string{anyValue}, Why: gceGone},
	{Name: "concurrent-service-syncs", Release: "v1.37", Harmless: []string{anyValue},
		Why: "Load balancers of services are the cloud-controller-manager's, which has a flag of the same name."},
	{Name: "deleting-pods-burst", Release: "v1.25", Harmless: []string{anyValue}, Why: notReadGone},
	{Name: "deleting-pods-qps", Release: "v1.25", Harmless: []string{anyValue}, Why: notReadGone},
	{Name: "deployment-controller-sync-period", Release: "v1.24", Harmless: []string{anyValue}, Why: notReadGone},
	{Name: "enable-taint-manager", Release: "v1.27", Harmless: []string{"true"}, Bool: true,
		Why: "Pods are always evicted by taints; --controllers=*,-taint-eviction-controller turns that off."},
	{Name: "experimental-cluster-signing-duration", Release: "v1.25", Current: "cluster-signing-duration",
		Why: "The flag left the experimental stage under this name in v1.19."},
	{Name: "experimental-logging-sanitization", Release: "v1.24", Harmless: []string{"false"}, Bool: true, Why: sanitizingGone},
	{Name: "horizontal-pod-autoscaler-downscale-delay", Release: "v1.31", Harmless: []string{anyValue},
		Why: "It had no effect since v1.12; --horizontal-pod-autoscaler-downscale-stabilization took its place."},
	{Name: "horizontal-pod-autoscaler-upscale-delay", Release: "v1.31", Harmless: []string{anyValue},
		Why: "It had no effect since v1.12; spec.behavior of each HorizontalPodAutoscaler says how fast it grows."},
	{Name: "horizontal-pod-autoscaler-use-rest-clients", Release: "v1.22", Harmless: []string{"true"}, Bool: true,
		Why: "Heapster was removed; autoscaling reads the metrics API, which metrics-server provides. Remove the flag."},
	{Name: "insecure-experimental-approve-all-kubelet-csrs-for-group", Release: "v1.13", Harmless: []string{anyValue},
		Why: "It did nothing any more; bind the group to a ClusterRole that the csrapproving controller knows."},
	{Name: "pod-eviction-timeout", Release: "v1.27", Harmless: []string{"5m", "5m0s", "300s"},
		Why: "Pods leave a lost node after the time that their tolerations say; set --default-not-ready-toleration-seconds and --default-unreachable-toleration-seconds of kube-apiserver."},
	{Name: "port", Release: "v1.24", Harmless: []string{"0"}, Why: httpPortGone},
	{Name: "register-retry-count", Release: "v1.25", Harmless: []string{anyValue}, Why: notReadGone},
	{Name: "tls-ca-file", Release: "v1.11", Harmless: []string{anyValue},
		Why: "It had no effect any more; the serving certificate's chain is in --tls-cert-file."},
	{Name: "volume-host-allow-local-loopback", Release: "v1.31", Harmless: []string{anyValue}, Bool: true, Why: networkTestGone},
	{Name: "volume-host-cidr-denylist", Release: "v1.31", Harmless: []string{anyValue}, Why: networkTestGone},
}

var schedulerRemoved = []Removed{
	{Name: "address", Release: "v1.24", Current: "bind-address", Why: httpPortMoved},
	{Name: "algorithm-provider", Release: "v1.22", Harmless: []string{"", "DefaultProvider"},
		Why: "Providers were removed; ClusterAutoscalerProvider is a profile whose NodeResourcesFit plugin has the scoringStrategy MostAllocated, in the file of --config."},
	{Name: "experimental-logging-sanitization", Release: "v1.24", Harmless: []string{"false"}, Bool: true, Why: sanitizingGone},
	{Name: "failure-domains", Release: "v1.15", Harmless: []string{anyValue},
		Why: "It had no effect any more; every pod names its topology keys."},
	{Name: "hard-pod-affinity-symmetric-weight", Release: "v1.22", Harmless: []string{"1"},
		Why: "Set hardPodAffinityWeight in the arguments of the InterPodAffinity plugin, in the file of --config."},
	{Name: "lock-object-name", Release: "v1.28", Current: "leader-elect-resource-name",
		Why: "The flag has the same name in every component since."},
	{Name: "lock-object-namespace", Release: "v1.28", Current: "leader-elect-resource-namespace",
		Why: "The flag has the same name in every component since."},
	{Name: "policy-config-file", Release: "v1.23", Harmless: []string{""}, Why: policyGone},
	{Name: "policy-configmap", Release: "v1.23", Harmless: []string{""}, Why: policyGone},
	{Name: "policy-configmap-namespace", Release: "v1.23", Harmless: []string{anyValue}, Why: policyGone},
	{Name: "port", Release: "v1.24", Harmless: []string{"0", "-1"}, Why: httpPortGone},
	{Name: "scheduler-name", Release: "v1.22", Harmless: []string{"default-scheduler"},
		Why: "Set schedulerName of a profile in the file of --config."},
	{Name: "use-legacy-policy-config", Release: "v1.23", Harmless: []string{"false"}, Bool: true, Why: policyGone},
}

// SPDX-License-Identifier: Apache-2.0

package profile

import (
	_ "embed"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// CIS is the name of the profile for the CIS Kubernetes Benchmark.
const CIS = "cis"

// cis sets at once what the benchmark asks of a control plane and the lab leaves open.
var cis = Profile{
	Name:     CIS,
	Doc:      "for the CIS Kubernetes Benchmark: what it asks of a control plane and the lab leaves open",
	Settings: cisSettings,
	Files: []File{
		{lab.APIServer, auditPolicyFlag, paths.AuditPolicy, auditPolicy},
		{lab.APIServer, AdmissionConfigFlag, paths.AdmissionConfig, admissionConfig},
	},
	notes: cisNotes,
}

// AdmissionConfigFlag names the file that has the admission plugins' configurations.
const AdmissionConfigFlag = "admission-control-config-file"

const auditPolicyFlag = "audit-policy-file"

//go:embed audit-policy.yaml
var auditPolicy []byte

//go:embed admission-config.yaml
var admissionConfig []byte

// Plugins that the profile adds to the lab's.
const (
	// EventRateLimit does not start without a configuration in the file of
	// AdmissionConfigFlag.
	EventRateLimit         = "EventRateLimit"
	DenyServiceExternalIPs = "DenyServiceExternalIPs"
)

// strongSuites are TLS 1.2's with forward secrecy and authenticated encryption. Those
// of TLS 1.3 are all strong, and Go does not have them chosen.
var strongSuites = []string{
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}

// StrongSuites are the TLS 1.2 cipher suites of the profile, by their names in Go.
func StrongSuites() []string { return append([]string{}, strongSuites...) }

func cisSettings(f Facts) []Setting {
	suites := strings.Join(strongSuites, ",")
	const goSuites = "Go's"
	all := []Setting{
		{lab.APIServer, "anonymous-auth", "false", "true",
			"Who has no credentials gets 401. The health port, and what the components ask each other, have credentials of their own."},
		{lab.APIServer, "enable-admission-plugins", lab.Value(lab.APIServer, "enable-admission-plugins") + "," + DenyServiceExternalIPs + "," + EventRateLimit,
			lab.Value(lab.APIServer, "enable-admission-plugins"),
			"A service may not have addresses of others for its own, and events come at the pace that the file below allows."},
		{lab.APIServer, AdmissionConfigFlag, paths.AdmissionConfig.Below(f.Root), "",
			"Limits for events; Pod Security, `baseline` in every namespace that has no label of its own but kube-system. Made where there is none."},
		{lab.APIServer, auditPolicyFlag, paths.AuditPolicy.Below(f.Root), "",
			"What is audited. Without it, the audit log stays empty. Made where there is none."},
		{lab.APIServer, "audit-log-maxbackup", "10", lab.Value(lab.APIServer, "audit-log-maxbackup"), "With maxsize, 1.1 GB of audit log at most."},
		{lab.APIServer, "profiling", "false", "true", "No /debug/pprof, not even for the admin."},
		{lab.APIServer, "service-account-extend-token-expiration", "false", "true",
			"A pod's token ends when it says, not after a year: a client that does not read its token again gets 401 after an hour."},
		{lab.APIServer, "tls-cipher-suites", suites, goSuites, "TLS 1.2 with forward secrecy and GCM or ChaCha20 only; TLS 1.3 as ever."},
		{lab.ControllerManager, "bind-address", "127.0.0.1", lab.Value(lab.ControllerManager, "bind-address"),
			"Nobody elsewhere reaches its port. A Prometheus elsewhere does not either: set 0.0.0.0 for it."},
		{lab.ControllerManager, "profiling", "false", "true", "No /debug/pprof."},
		{lab.ControllerManager, "terminated-pod-gc-threshold", "1000", "12500", "So many pods that have ended are kept for who wants to see them."},
		{lab.ControllerManager, "tls-cipher-suites", suites, goSuites, "As the apiserver's."},
		{lab.Scheduler, "bind-address", "127.0.0.1", "0.0.0.0", "As the controller-manager's."},
		{lab.Scheduler, "profiling", "false", "true", "No /debug/pprof; it is written into its configuration, unless that says so itself."},
		{lab.Scheduler, "tls-cipher-suites", suites, goSuites, "As the apiserver's."},
	}
	return append(all, Setting{Etcd, "cipher-suites", suites, goSuites, "As the apiserver's."})
}

// cisNotes are what there is to know of cis beyond its settings.
const cisNotes = `
` + "`khw-controller verify --profile cis`" + ` goes through the benchmark: [every item, and what becomes of it](cis.md).

The lab itself has the rest: certificates on every connection, Node and RBAC authorization, NodeRestriction, the kubelets' CA, encryption at rest, keys for
tokens, and the controllers' own service accounts.

### The two files

` + "`/var/lib/kubernetes/audit-policy.yaml` and `/var/lib/kubernetes/admission-config.yaml`" + ` are made at the start where they are missing, all or none, and never
written again: they are yours to change, with a restart. Remove one to have it made anew. A file of yours in another place is named with
` + "`kube-apiserver-arg: [audit-policy-file=…]`" + `. Where the admission configuration in force says nothing of EventRateLimit, the plugin is left out.

### What is audited

Who did what, with the answer, never with the body of a Secret, a ConfigMap, a token or a pod; bodies are recorded of changes to RBAC, admission, certificate
requests, quotas, network policies and namespaces alone. What nodes and the control plane's own components read and renew all day is left out, but not
what they do with Secrets.

### What changes for whom

- ` + "`curl --cacert ca.pem https://…:6443/version`" + `, the lab's last step, gets 401. ` + "`khw-controller verify`" + ` takes that for what was asked for. Health checks
  are for port 80, as ever; who asks port 6443 needs a client certificate.
- A pod that is privileged, shares the host's namespaces or mounts its directories is refused, but in kube-system; one that ` + "`restricted`" + ` would
  refuse gets a warning. Another namespace for such pods: ` + "`kubectl label namespace NAME pod-security.kubernetes.io/enforce=privileged`" + `.
- AlwaysPullImages is not set. It has every start of a container wait for a registry, and fails where images were imported. What it is for, that a pod may not
  use an image that another pod's credentials have brought to the node, is the kubelet's own check since v1.35 (KubeletEnsureSecretPulledImages).
`

// SPDX-License-Identifier: Apache-2.0

package lab

// Reasons that several rows share.
const (
	httpAddressGone = "It was the address of the plain-HTTP port, which is gone; HTTPS is served at --bind-address and --secure-port."
	httpPortGone    = "There is no plain-HTTP port any more, as if it were 0; HTTPS is served at --secure-port."
	swaggerGone     = "The Swagger UI was removed from the apiserver in v1.14; /openapi/v2 and /openapi/v3 serve the same description."
	encryptionMoved = "Encryption at rest left the experimental stage under this name in v1.13. The file's 2018 form still loads."
	kubeletHTTPS    = "The apiserver talks to kubelets over HTTPS only; true is what it does, and false cannot be had any more."
	gceGone         = "Only the in-tree GCE provider read it; GCP's cloud-controller-manager has a flag of the same name."
	initialGone     = "It was for the InitialResources admission plugin, which was removed in v1.11; the VerticalPodAutoscaler took its place."
	sshGone         = "SSH tunnels to nodes were removed; use the Konnectivity service with --egress-selector-config-file."
	storageGone     = "Each resource is stored in the version that this Kubernetes prefers; remove the flag."
	identityGone    = "The lease by which apiservers find each other has fixed times since."
	sanitizingGone  = "Log sanitization was an experiment and has no successor; remove the flag and keep --v below 6 where secrets could be logged."
)

var apiServerRemoved = []Removed{
	{Name: "address", Release: "v1.24", Harmless: []string{anyValue}, Why: httpAddressGone},
	{Name: "audit-dynamic-configuration", Release: "v1.19", Harmless: []string{"false"}, Bool: true,
		Why: "Audit sinks as API objects were alpha and were removed; use --audit-webhook-config-file."},
	{Name: "authorization-rbac-super-user", Release: "v1.11", Harmless: []string{anyValue},
		Why: "It had no effect any more; members of the group system:masters may do everything."},
	{Name: "basic-auth-file", Release: "v1.19", Harmless: []string{""},
		Why: "Passwords were removed; use client certificates, or --token-auth-file with tokens of the same users."},
	{Name: "cloud-config", Release: "v1.33", Harmless: []string{anyValue},
		Why: "Only the in-tree cloud providers read it; a cloud-controller-manager has its own --cloud-config."},
	{Name: "cloud-provider", Release: "v1.33", Harmless: []string{"", "external"},
		Why: "In-tree cloud providers were removed; run the cloud's own cloud-controller-manager, and set --cloud-provider=external for kubelets only."},
	{Name: "cloud-provider-gce-l7lb-src-cidrs", Release: "v1.31", Harmless: []string{anyValue}, Why: gceGone},
	{Name: "cloud-provider-gce-lb-src-cidrs", Release: "v1.31", Harmless: []string{anyValue}, Why: gceGone},
	{Name: "deserialization-cache-size", Release: "v1.24", Harmless: []string{anyValue},
		Why: "The cache was for etcd2, which was removed in v1.13."},
	{Name: "enable-inflight-quota-handler", Release: "v1.18", Current: "enable-priority-and-fairness", Bool: true,
		Why: "API Priority and Fairness is the name of what that was to become."},
	{Name: "enable-swagger-ui", Release: "v1.24", Harmless: []string{anyValue}, Bool: true, Why: swaggerGone},
	{Name: "etcd-quorum-read", Release: "v1.13", Harmless: []string{anyValue}, Bool: true,
		Why: "Reads always have etcd's quorum since."},
	{Name: "experimental-encryption-provider-config", Release: "v1.24", Current: "encryption-provider-config", Why: encryptionMoved},
	{Name: "experimental-logging-sanitization", Release: "v1.24", Harmless: []string{"false"}, Bool: true, Why: sanitizingGone},
	{Name: "identity-lease-duration-seconds", Release: "v1.26", Harmless: []string{anyValue}, Why: identityGone},
	{Name: "identity-lease-renew-interval-seconds", Release: "v1.26", Harmless: []string{anyValue}, Why: identityGone},
	{Name: "insecure-bind-address", Release: "v1.24", Harmless: []string{anyValue}, Why: httpAddressGone},
	{Name: "insecure-port", Release: "v1.24", Harmless: []string{"0"}, Why: httpPortGone},
	{Name: "ir-data-source", Release: "v1.11", Harmless: []string{anyValue}, Why: initialGone},
	{Name: "ir-dbname", Release: "v1.11", Harmless: []string{anyValue}, Why: initialGone},
	{Name: "ir-hawkular", Release: "v1.11", Harmless: []string{anyValue}, Why: initialGone},
	{Name: "ir-influxdb-host", Release: "v1.11", Harmless: []string{anyValue}, Why: initialGone},
	{Name: "ir-namespace-only", Release: "v1.11", Harmless: []string{anyValue}, Bool: true, Why: initialGone},
	{Name: "ir-password", Release: "v1.11", Harmless: []string{anyValue}, Why: initialGone},
	{Name: "ir-percentile", Release: "v1.11", Harmless: []string{anyValue}, Why: initialGone},
	{Name: "ir-user", Release: "v1.11", Harmless: []string{anyValue}, Why: initialGone},
	{Name: "kubelet-https", Release: "v1.22", Harmless: []string{"true"}, Bool: true, Why: kubeletHTTPS},
	{Name: "master-service-namespace", Release: "v1.27", Harmless: []string{anyValue},
		Why: "It had no effect any more; the service is default/kubernetes."},
	{Name: "port", Release: "v1.24", Harmless: []string{"0"}, Why: httpPortGone},
	{Name: "repair-malformed-updates", Release: "v1.14", Harmless: []string{"false"}, Bool: true,
		Why: "Updates with an empty UID or resource version are refused instead of repaired; remove the flag and mend the clients that send them."},
	{Name: "service-account-api-audiences", Release: "v1.25", Current: "api-audiences",
		Why: "The audiences hold for every authenticator since v1.13, not for service accounts only."},
	{Name: "ssh-keyfile", Release: "v1.22", Harmless: []string{""}, Why: sshGone},
	{Name: "ssh-user", Release: "v1.22", Harmless: []string{""}, Why: sshGone},
	{Name: "storage-version", Release: "v1.11", Harmless: []string{""}, Why: storageGone},
	{Name: "storage-versions", Release: "v1.14", Harmless: []string{""}, Why: storageGone},
	{Name: "target-ram-mb", Release: "v1.24", Harmless: []string{anyValue},
		Why: "Nothing is sized by it any more; watch caches grow and shrink by themselves."},
	{Name: "tls-ca-file", Release: "v1.11", Harmless: []string{anyValue},
		Why: "It had no effect any more; the serving certificate's chain is in --tls-cert-file."},
}

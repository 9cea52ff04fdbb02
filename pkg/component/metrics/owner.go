// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// shared are the families, by their prefix, that all components have and whose
// label name tells whose a series is.
var shared = []string{"workqueue_", "informer_", "leader_election_"}

// ownerLabel returns the label that tells whose a series of a shared family is; ok
// is false for a family that is not shared.
func ownerLabel(family string) (label string, ok bool) {
	return "name", slices.ContainsFunc(shared, func(prefix string) bool { return strings.HasPrefix(family, prefix) })
}

// seriesOwner returns the component to which the series of a shared family with
// that name belongs. Informers and leases carry their component's name; work
// queues have names of their own, and most are the controllers'.
func seriesOwner(family, name string) lab.Component {
	if slices.Contains(lab.Components(), lab.Component(name)) {
		return lab.Component(name)
	}
	if strings.HasPrefix(family, "workqueue_") && !slices.Contains(apiServerQueues, name) {
		return lab.ControllerManager
	}
	return lab.APIServer
}

// apiServerQueues are the work queues of a stock kube-apiserver. A few names are
// also those of a controller's queue, and such series cannot be told apart.
var apiServerQueues = []string{
	"APIServiceRegistrationController", "DiscoveryController",
	"DynamicCABundle-client-ca-bundle", "DynamicCABundle-request-header", "DynamicCABundle-serving-cert",
	"DynamicClientCertificate", "DynamicConfigMapCABundle-client-ca", "DynamicServingCertificateController",
	"LocalAvailabilityController", "RemoteAvailabilityController",
	"admission_quota_controller", "autoregister", "cluster_authentication_trust_controller",
	"crdEstablishing", "crd_autoregistration_controller", "crd_finalizer", "crd_naming_condition_controller",
	"crd_openapi_controller", "crd_openapi_v3_controller", "discovery-manager", "ipaddresses", "ipallocator.k8s.io",
	"kubernetes_api_approval_conformant_condition_controller", "legacy_token_tracking_controller",
	"non_structural_schema_condition_controller", "open_api_aggregation_controller", "open_api_v3_aggregation_controller",
	"priority_and_fairness_config_queue", "services",
}

// controllerFamilies are families of the controllers whose names do not say so.
var controllerFamilies = []string{"attachdetach_", "dynamic_resource_allocation_", "node_collector_", "pod_gc_collector_", "pv_collector_",
	"retroactive_storageclass_", "running_managed_controllers", "storage_operation_", "volume_operation_",
	"clustertrustbundle_publisher_", "root_ca_cert_publisher_"}

// familyOwner returns on whose page a family is shown that is not shared. What
// belongs to the process, or cannot be told apart, is on the apiserver's.
func familyOwner(family string) lab.Component {
	has := func(prefix string) bool { return strings.HasPrefix(family, prefix) }
	switch {
	case has("scheduler_"):
		return lab.Scheduler
	case has("apiserver_"):
		return lab.APIServer
	case strings.Contains(family, "_controller_"), slices.ContainsFunc(controllerFamilies, has):
		return lab.ControllerManager
	}
	return lab.APIServer
}

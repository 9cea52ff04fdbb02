// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// Policy is the least custom role with which this Config can be used, as the file
// that gcloud iam roles create takes.
func Policy(c Config, use lb.Use) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# gcloud iam roles create khwLoadBalancer --project %s --file FILE\n", cmp.Or(c.Project, "PROJECT"))
	fmt.Fprintf(&b, "title: khw-controller load balancer\n")
	fmt.Fprintf(&b, "description: What khw-controller lb --cloud gcp --type %s calls\n", c.Type)
	fmt.Fprintf(&b, "stage: GA\nincludedPermissions:\n")
	for _, p := range permissions(c, use) {
		fmt.Fprintf(&b, "- %s\n", p)
	}
	return b.String()
}

// permissions are one for each method that is called, and more: the .use ones
// guard what another resource refers to, and networks.updatePolicy guards a
// network's firewall rules.
func permissions(c Config, use lb.Use) []string {
	all := slices.Clone(readPermissions[c.Type])
	if use.Delete {
		all = append(all, sharePermissions[c.Type]...)
	}
	if use.Change && use.Delete {
		all = append(all, deletePermissions[c.Type]...)
	}
	if use.Change && !use.Delete {
		all = append(all, makePermissions[c.Type]...)
	}
	if use.Change && c.Create {
		verb := "create"
		if use.Delete {
			verb = "delete"
		}
		all = append(all, "compute.addresses."+verb)
	}
	if use.Change && c.Prune && c.Type == TargetPool {
		all = append(all, "compute.targetPools.removeInstance", "compute.instances.use")
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// The permissions are by type. Health takes no more than reading.
var (
	// Operations are read before the resources: another run's are waited for.
	readPermissions = map[string][]string{
		TargetPool: append(slices.Clone(readAlways),
			"compute.httpHealthChecks.get",
			"compute.targetPools.get",
		),
		BackendService: append(slices.Clone(readAlways),
			"compute.instanceGroups.get",
			"compute.instanceGroups.list",
			"compute.regionBackendServices.get",
			"compute.regionHealthChecks.get",
			"compute.zoneOperations.get",
			"compute.zoneOperations.list",
		),
	}
	readAlways = []string{
		"compute.addresses.get",
		"compute.firewalls.get",
		"compute.firewalls.list",
		"compute.forwardingRules.get",
		"compute.forwardingRules.list",
		"compute.globalOperations.get",
		"compute.globalOperations.list",
		"compute.instances.list",
		"compute.regionOperations.get",
		"compute.regionOperations.list",
	}
	// sharePermissions ask who else uses what would be deleted.
	sharePermissions = map[string][]string{
		TargetPool:     {"compute.targetPools.list"},
		BackendService: {"compute.regionBackendServices.list"},
	}
	makePermissions = map[string][]string{
		TargetPool: append(slices.Clone(makeAlways),
			"compute.httpHealthChecks.create",
			"compute.httpHealthChecks.update",
			"compute.httpHealthChecks.useReadOnly",
			"compute.targetPools.addHealthCheck",
			"compute.targetPools.addInstance",
			"compute.targetPools.create",
			"compute.targetPools.removeHealthCheck",
			"compute.targetPools.use",
		),
		BackendService: append(slices.Clone(makeAlways),
			"compute.instanceGroups.create",
			"compute.instanceGroups.update",
			"compute.instanceGroups.use",
			"compute.regionBackendServices.create",
			"compute.regionBackendServices.update",
			"compute.regionBackendServices.use",
			"compute.regionHealthChecks.create",
			"compute.regionHealthChecks.update",
			"compute.regionHealthChecks.useReadOnly",
		),
	}
	makeAlways = []string{
		"compute.addresses.use",
		"compute.firewalls.create",
		"compute.firewalls.update",
		"compute.forwardingRules.create",
		"compute.forwardingRules.delete", // to replace one that cannot be changed
		"compute.forwardingRules.setTarget",
		"compute.instances.use",
		"compute.networks.updatePolicy",
	}
	deletePermissions = map[string][]string{
		TargetPool: append(slices.Clone(deleteAlways),
			"compute.httpHealthChecks.delete",
			"compute.instances.use",
			"compute.targetPools.delete",
			"compute.targetPools.removeInstance",
		),
		BackendService: append(slices.Clone(deleteAlways),
			"compute.instanceGroups.delete",
			"compute.instanceGroups.update",
			"compute.regionBackendServices.delete",
			"compute.regionHealthChecks.delete",
		),
	}
	deleteAlways = []string{
		"compute.firewalls.delete",
		"compute.forwardingRules.delete",
		"compute.networks.updatePolicy",
	}
)

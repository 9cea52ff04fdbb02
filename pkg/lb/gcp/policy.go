// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Policy is the least custom role with which this Config can be read and applied
// and, with deletion, undone, as the file that gcloud iam roles create takes.
func Policy(c Config, deletion bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# gcloud iam roles create khwLoadBalancer --project %s --file FILE\n", cmp.Or(c.Project, "PROJECT"))
	fmt.Fprintf(&b, "title: khw-controller load balancer\n")
	fmt.Fprintf(&b, "description: What khw-controller lb --cloud gcp --type %s calls\n", c.Type)
	fmt.Fprintf(&b, "stage: GA\nincludedPermissions:\n")
	for _, p := range permissions(c, deletion) {
		fmt.Fprintf(&b, "- %s\n", p)
	}
	return b.String()
}

// permissions are one for each method that is called, and more: the .use ones
// guard what another resource refers to, and networks.updatePolicy guards a
// network's firewall rules.
func permissions(c Config, deletion bool) []string {
	p := []string{
		"compute.addresses.get",
		"compute.addresses.use",
		"compute.firewalls.create",
		"compute.firewalls.get",
		"compute.firewalls.update",
		"compute.forwardingRules.create",
		"compute.forwardingRules.delete", // to replace one that cannot be changed
		"compute.forwardingRules.get",
		"compute.forwardingRules.setTarget",
		"compute.globalOperations.get",
		"compute.instances.list",
		"compute.instances.use",
		"compute.networks.updatePolicy",
		"compute.regionOperations.get",
	}
	var undo []string
	if c.Create {
		p = append(p, "compute.addresses.create")
		undo = append(undo, "compute.addresses.delete")
	}
	undo = append(undo, "compute.firewalls.delete")
	if c.Type == BackendService {
		p = append(p,
			"compute.instanceGroups.create",
			"compute.instanceGroups.get",
			"compute.instanceGroups.list",
			"compute.instanceGroups.update",
			"compute.instanceGroups.use",
			"compute.regionBackendServices.create",
			"compute.regionBackendServices.get",
			"compute.regionBackendServices.update",
			"compute.regionBackendServices.use",
			"compute.regionHealthChecks.create",
			"compute.regionHealthChecks.get",
			"compute.regionHealthChecks.update",
			"compute.regionHealthChecks.useReadOnly",
			"compute.zoneOperations.get",
		)
		undo = append(undo, "compute.instanceGroups.delete", "compute.regionBackendServices.delete", "compute.regionHealthChecks.delete")
	} else {
		p = append(p,
			"compute.httpHealthChecks.create",
			"compute.httpHealthChecks.get",
			"compute.httpHealthChecks.update",
			"compute.httpHealthChecks.useReadOnly",
			"compute.targetPools.addHealthCheck",
			"compute.targetPools.addInstance",
			"compute.targetPools.create",
			"compute.targetPools.get",
			"compute.targetPools.removeHealthCheck",
			"compute.targetPools.use",
		)
		undo = append(undo, "compute.httpHealthChecks.delete", "compute.targetPools.delete", "compute.targetPools.removeInstance")
	}
	if deletion {
		p = append(p, undo...)
	}
	slices.Sort(p)
	return p
}

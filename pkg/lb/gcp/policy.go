// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"fmt"
	"slices"
	"strings"
)

// IAMPolicy is the least custom role for a plan, an apply, a wait and a deletion
// with these options, as the file that `gcloud iam roles create` takes. Only
// Type and Create count.
func IAMPolicy(o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# gcloud iam roles create khwLoadBalancer --project PROJECT --file FILE\n")
	fmt.Fprintf(&b, "title: khw-controller load balancer\n")
	fmt.Fprintf(&b, "description: What khw-controller lb --cloud gcp --type %s calls.\n", o.Type)
	fmt.Fprintf(&b, "stage: GA\nincludedPermissions:\n")
	for _, p := range permissions(o) {
		fmt.Fprintf(&b, "- %s\n", p)
	}
	return b.String()
}

// permissions are those that the references of the called methods require. The
// .use ones guard what another resource refers to; networks.updatePolicy guards
// a network's firewall rules.
func permissions(o Options) []string {
	p := crud("forwardingRules", "setTarget")
	p = append(p, crud("firewalls", "update")...)
	p = append(p,
		"compute.addresses.get",
		"compute.addresses.use",
		"compute.globalOperations.get",
		"compute.instances.list",
		"compute.instances.use",
		"compute.networks.updatePolicy",
		"compute.regionOperations.get",
	)
	if o.Create {
		p = append(p, "compute.addresses.create", "compute.addresses.delete")
	}
	if o.Type == BackendService {
		p = append(p, crud("regionHealthChecks", "update", "useReadOnly")...)
		p = append(p, crud("instanceGroups", "list", "update", "use")...)
		p = append(p, crud("regionBackendServices", "update", "use")...)
		p = append(p, "compute.zoneOperations.get")
	} else {
		p = append(p, crud("httpHealthChecks", "update", "useReadOnly")...)
		p = append(p, crud("targetPools", "addHealthCheck", "addInstance", "removeHealthCheck", "removeInstance", "use")...)
	}
	slices.Sort(p)
	return p
}

func crud(collection string, more ...string) []string {
	var p []string
	for _, verb := range append([]string{"create", "delete", "get"}, more...) {
		p = append(p, "compute."+collection+"."+verb)
	}
	return p
}

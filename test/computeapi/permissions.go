// SPDX-License-Identifier: Apache-2.0

package computeapi

import "strings"

// verbs are the permissions of methods that are not named like them.
var verbs = map[string]string{
	"insert":          "create",
	"patch":           "update",
	"aggregatedList":  "list",
	"listInstances":   "list",
	"getHealth":       "get",
	"addInstances":    "update",
	"removeInstances": "update",
}

// more are the permissions that a method takes beside the one on its resource,
// by what in its body refers to another. The discovery document says nothing of
// permissions: these are from Google's documentation of access control, and
// compared with least roles that others publish.
var more = map[string][]struct{ field, permission string }{
	"compute.firewalls.insert":              {{"", "compute.networks.updatePolicy"}},
	"compute.firewalls.patch":               {{"", "compute.networks.updatePolicy"}},
	"compute.firewalls.delete":              {{"", "compute.networks.updatePolicy"}},
	"compute.targetPools.insert":            {{"healthChecks", "compute.httpHealthChecks.useReadOnly"}, {"instances", "compute.instances.use"}},
	"compute.targetPools.addHealthCheck":    {{"", "compute.httpHealthChecks.useReadOnly"}},
	"compute.targetPools.removeHealthCheck": {{"", "compute.httpHealthChecks.useReadOnly"}},
	"compute.targetPools.addInstance":       {{"", "compute.instances.use"}},
	"compute.targetPools.removeInstance":    {{"", "compute.instances.use"}},
	"compute.instanceGroups.addInstances":   {{"", "compute.instances.use"}},
	"compute.regionBackendServices.insert":  {{"healthChecks", "compute.regionHealthChecks.useReadOnly"}, {"backends", "compute.instanceGroups.use"}},
	"compute.regionBackendServices.patch":   {{"healthChecks", "compute.regionHealthChecks.useReadOnly"}, {"backends", "compute.instanceGroups.use"}},
	"compute.forwardingRules.insert":        {{"IPAddress", "compute.addresses.use"}, {"target", "compute.targetPools.use"}, {"backendService", "compute.regionBackendServices.use"}},
}

// permissions are those that a call needs.
func permissions(method string, body map[string]any) []string {
	dot := strings.LastIndex(method, ".")
	verb := method[dot+1:]
	if v, ok := verbs[verb]; ok {
		verb = v
	}
	needed := []string{method[:dot+1] + verb}
	for _, m := range more[method] {
		if m.field == "" || body[m.field] != nil {
			needed = append(needed, m.permission)
		}
	}
	if method == "compute.forwardingRules.setTarget" {
		use := "compute.targetPools.use"
		if target, _ := body["target"].(string); strings.Contains(target, "/backendServices/") {
			use = "compute.regionBackendServices.use"
		}
		needed = append(needed, use)
	}
	return needed
}

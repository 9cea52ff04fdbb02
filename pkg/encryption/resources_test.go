// SPDX-License-Identifier: Apache-2.0

package encryption

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestStoragePath(t *testing.T) {
	for resource, want := range map[string]string{
		"secrets": "secrets", "deployments.apps": "deployments", "nodes": "minions", "endpoints": "services/endpoints",
		"services.serving.knative.dev": "serving.knative.dev/services", "ingresses.networking.k8s.io": "ingress",
		"roles.rbac.authorization.k8s.io": "roles", "widgets.example.com": "example.com/widgets",
		"customresourcedefinitions.apiextensions.k8s.io": "apiextensions.k8s.io/customresourcedefinitions",
	} {
		if got := storagePath(schema.ParseGroupResource(resource)); got != want {
			t.Errorf("%s is stored at %s, want %s", resource, got, want)
		}
	}
}

func TestWildcards(t *testing.T) {
	crd := stored{"/registry/apiextensions.k8s.io/customresourcedefinitions/widgets.example.com": []byte("{}")}
	for about, test := range map[string]struct {
		resource, key string
		found         bool
	}{
		"everything: a secret":                   {"*.*", "/registry/secrets/default/a", true},
		"everything: a deployment":               {"*.*", "/registry/deployments/default/a", true},
		"everything: an event":                   {"*.*", "/registry/events/default/a", true},
		"everything: a node":                     {"*.*", "/registry/minions/a", true},
		"everything: a lease":                    {"*.*", "/registry/leases/kube-system/a", true},
		"everything: endpoints":                  {"*.*", "/registry/services/endpoints/default/a", true},
		"everything: an API service":             {"*.*", "/registry/apiregistration.k8s.io/apiservices/v1.example.com", true},
		"everything: a definition":               {"*.*", "/registry/apiextensions.k8s.io/customresourcedefinitions/gadgets.example.com", true},
		"everything: a custom object":            {"*.*", "/registry/example.com/widgets/default/a", true},
		"everything: what nobody defines":        {"*.*", "/registry/example.com/gadgets/default/a", false},
		"a group: a deployment":                  {"*.apps", "/registry/deployments/default/a", true},
		"a group: a pod, which is of another":    {"*.apps", "/registry/pods/default/a", false},
		"a group: a custom object of another":    {"*.apps", "/registry/example.com/widgets/default/a", false},
		"the core group: a pod":                  {"*.", "/registry/pods/default/a", true},
		"the core group: a deployment":           {"*.", "/registry/deployments/default/a", false},
		"a group of one's own: a custom object":  {"*.example.com", "/registry/example.com/widgets/default/a", true},
		"the group of roles":                     {"*.rbac.authorization.k8s.io", "/registry/roles/default/a", true},
		"a custom resource by its name":          {"widgets.example.com", "/registry/example.com/widgets/default/a", true},
		"without a wildcard: what is not listed": {"secrets", "/registry/pods/default/a", false},
	} {
		t.Run(about, func(t *testing.T) {
			c := configuration(t, test.resource, key("aescbc", "key2", 'b'), plain)
			s := stored{test.key: encrypted(t, test.key, key("aescbc", "key1", 'a'))}
			for k, v := range crd {
				s[k] = v
			}
			got, err := c.Check(t.Context(), s)
			if err != nil || (len(got) > 0) != test.found {
				t.Fatalf("it finds %v, %v", got, err)
			}
			if test.found && !strings.HasSuffix(test.key, "/"+got[0].Object) {
				t.Errorf("it names %s of %s", got[0].Object, test.key)
			}
		})
	}
}

func TestBuiltinResources(t *testing.T) {
	for _, name := range []string{"pods", "secrets", "endpoints", "services", "nodes", "deployments.apps", "ingresses.networking.k8s.io",
		"networkpolicies.networking.k8s.io", "ipaddresses.networking.k8s.io", "poddisruptionbudgets.policy", "storageclasses.storage.k8s.io",
		"priorityclasses.scheduling.k8s.io", "customresourcedefinitions.apiextensions.k8s.io"} {
		if !slices.Contains(builtin(), schema.ParseGroupResource(name)) {
			t.Errorf("%s is not among them", name)
		}
	}
	for _, name := range []string{"podlists", "listoptions", "events.events.k8s.io", "deployments.extensions"} {
		if slices.Contains(builtin(), schema.ParseGroupResource(name)) {
			t.Errorf("%s is among them", name)
		}
	}
}

func TestDefinitionsThatCannotBeRead(t *testing.T) {
	if _, err := configuration(t, "*.*", plain).Check(t.Context(), failing{stored{}}); err == nil {
		t.Errorf("got %v", err)
	}
}

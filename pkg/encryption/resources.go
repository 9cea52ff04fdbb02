// SPDX-License-Identifier: Apache-2.0

package encryption

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// usually are the resources that are looked at without a configuration: what people
// encrypt.
var usually = []schema.GroupResource{{Resource: "secrets"}, {Resource: "configmaps"}}

// definitions are the custom resources' own.
var definitions = schema.GroupResource{Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions"}

// resources lists what is encrypted, and what usually is. A wildcard stands for
// Kubernetes' own resources and for the custom ones that source holds definitions of.
func (c *Config) resources(ctx context.Context, source Source) ([]schema.GroupResource, error) {
	all, wildcards := c.named()
	add := func(more ...schema.GroupResource) {
		for _, gr := range more {
			if !slices.Contains(all, gr) {
				all = append(all, gr)
			}
		}
	}
	add(usually...)
	if len(wildcards) == 0 {
		return all, nil
	}
	custom, err := customResources(ctx, source)
	for _, gr := range slices.Concat(builtin(), custom) {
		if slices.ContainsFunc(wildcards, func(w schema.GroupResource) bool { return w.Group == gr.Group || w.Group == "*" }) {
			add(gr)
		}
	}
	return all, err
}

// named lists the resources that the configuration names one by one, and the
// wildcards.
func (c *Config) named() (all, wildcards []schema.GroupResource) {
	for _, r := range c.document.Resources {
		for _, name := range r.Resources {
			switch gr := schema.ParseGroupResource(name); {
			case gr.Resource == "*":
				wildcards = append(wildcards, gr)
			case !slices.Contains(all, gr):
				all = append(all, gr)
			}
		}
	}
	return all, wildcards
}

// Resources lists what the configuration is for. A wildcard stands for Kubernetes' own
// resources and for the custom ones that source holds definitions of.
func (c *Config) Resources(ctx context.Context, source Source) ([]schema.GroupResource, error) {
	all, err := c.resources(ctx, source)
	return slices.DeleteFunc(all, func(gr schema.GroupResource) bool { _, ok := c.entryOf(gr); return !ok }), err
}

// HasWildcards reports whether the configuration names resources by *.
func (c *Config) HasWildcards() bool {
	_, wildcards := c.named()
	return len(wildcards) > 0
}

// customResources are those that have a definition: its name is theirs.
func customResources(ctx context.Context, source Source) ([]schema.GroupResource, error) {
	var all []schema.GroupResource
	err := source.Read(ctx, []string{storagePath(definitions)}, func(_, key string, _ []byte) {
		all = append(all, schema.ParseGroupResource(object(key, definitions)))
	})
	return all, err
}

// storedAsOthers are groups whose resources are stored as those of another one
// (k8s.io/kubernetes/pkg/kubeapiserver, NewStorageFactoryConfig).
var storedAsOthers = []string{"extensions", "events.k8s.io"}

// builtin lists the resources of Kubernetes' own groups in the order of their names,
// those that are never stored among them.
var builtin = sync.OnceValue(func() []schema.GroupResource {
	all := []schema.GroupResource{definitions, {Group: "apiregistration.k8s.io", Resource: "apiservices"}}
	for kind, is := range scheme.Scheme.AllKnownTypes() {
		plural, _ := meta.UnsafeGuessKindToResource(kind)
		_, isObject := reflect.New(is).Interface().(metav1.Object)
		if isObject && !slices.Contains(storedAsOthers, kind.Group) && !slices.Contains(all, plural.GroupResource()) {
			all = append(all, plural.GroupResource())
		}
	}
	slices.SortFunc(all, func(a, b schema.GroupResource) int { return strings.Compare(a.String(), b.String()) })
	return all
})

// storedElsewhere are the resources of Kubernetes' own groups that are not stored
// below their name (k8s.io/kubernetes/pkg/kubeapiserver, SpecialDefaultResourcePrefixes).
var storedElsewhere = map[schema.GroupResource]string{
	{Resource: "replicationcontrollers"}:                "controllers",
	{Resource: "nodes"}:                                 "minions",
	{Resource: "services"}:                              "services/specs",
	{Resource: "endpoints"}:                             "services/endpoints",
	{Group: "networking.k8s.io", Resource: "ingresses"}: "ingress",
}

// storagePath is where objects are, below the apiserver's --etcd-prefix. Those of
// custom resources and of the aggregator have their group before them.
func storagePath(r schema.GroupResource) string {
	if path, ok := storedElsewhere[r]; ok {
		return path
	}
	if strings.Contains(r.Group, ".") && !slices.Contains(builtinGroups, r.Group) {
		return r.Group + "/" + r.Resource
	}
	return r.Resource
}

// builtinGroups are those with a dot whose objects are stored without it.
var builtinGroups = []string{
	"networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "certificates.k8s.io",
	"discovery.k8s.io", "admissionregistration.k8s.io", "node.k8s.io", "resource.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io",
	"internal.apiserver.k8s.io", "storagemigration.k8s.io",
}

// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// served is every object that a server has, in every version that it serves it in: by
// resource, and by namespace and name.
type served map[schema.GroupVersionResource]map[string]map[string]any

// inVain are resources of which a list is no object of etcd's, or comes and goes.
var inVain = map[string]bool{"componentstatuses": true, "events": true}

// servedBy lists all of them. Who cannot be listed fails the test.
func servedBy(e *harness.Env, kubeconfig string) served {
	e.Helper()
	config, err := cluster.Config(kubeconfig)
	e.Must(err)
	client, err := kubernetes.NewForConfig(config)
	e.Must(err)
	objects, err := dynamic.NewForConfig(config)
	e.Must(err)
	_, lists, err := client.Discovery().ServerGroupsAndResources()
	e.Must(err)
	all := served{}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, lists) {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		e.Must(err)
		for _, r := range list.APIResources {
			if inVain[r.Name] {
				continue
			}
			gvr := gv.WithResource(r.Name)
			all[gvr] = map[string]map[string]any{}
			found, err := objects.Resource(gvr).List(e.Context(), metav1.ListOptions{})
			if err != nil {
				e.Errorf("listing %s: %v", name(gvr), err)
				continue
			}
			for _, o := range found.Items {
				all[gvr][o.GetNamespace()+"/"+o.GetName()] = content(o)
			}
		}
	}
	return all
}

// name is a resource's, with its version.
func name(gvr schema.GroupVersionResource) string {
	return strings.TrimPrefix(gvr.Group+"/"+gvr.Version+" "+gvr.Resource, "/")
}

// content is an object without what every write changes.
func content(o unstructured.Unstructured) map[string]any {
	for _, field := range []string{"managedFields", "resourceVersion", "generation"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	return o.Object
}

// resources are the names of those that are served, without those that others serve too.
func (s served) without(other served) []string {
	var all []string
	for gvr := range s {
		if _, both := other[gvr]; !both {
			all = append(all, name(gvr))
		}
	}
	slices.Sort(all)
	return all
}

// counted is how many objects there are.
func (s served) counted() (resources, objects int) {
	for _, all := range s {
		objects += len(all)
	}
	return len(s), objects
}

// change is one field in which an object is another than it was.
type change struct {
	resource, object, field string
	was, is                 any
}

func (c change) String() string {
	return fmt.Sprintf("%s %s: %s was %v, is %v", c.resource, c.object, c.field, c.was, c.is)
}

// changed lists in what the objects of one server are not those of another, of the
// resources that both serve. Objects that came to it are none.
func changed(was, is served) []change {
	var all []change
	for gvr, objects := range was {
		if _, both := is[gvr]; !both {
			continue
		}
		for key, object := range objects {
			now, there := is[gvr][key]
			if !there {
				all = append(all, change{name(gvr), key, "", "there", "gone"})
				continue
			}
			differences("", object, now, func(field string, was, is any) {
				all = append(all, change{name(gvr), key, field, was, is})
			})
		}
	}
	slices.SortFunc(all, func(a, b change) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// differences tells each field that is not the same.
func differences(at string, was, is any, tell func(field string, was, is any)) {
	a, b := asMap(was), asMap(is)
	if a == nil || b == nil {
		if !reflect.DeepEqual(was, is) {
			tell(strings.TrimPrefix(at, "."), was, is)
		}
		return
	}
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		differences(at+"."+key, a[key], b[key], tell)
	}
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// rewrite has every object stored anew by a server, in the form in which that stores it,
// by an annotation.
func rewrite(e *harness.Env, kubeconfig string, all served, mark string) {
	e.Helper()
	config, err := cluster.Config(kubeconfig)
	e.Must(err)
	objects, err := dynamic.NewForConfig(config)
	e.Must(err)
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"yes"}}}`, mark)
	for gvr, found := range all {
		for key := range found {
			namespace, name, _ := strings.Cut(key, "/")
			e.Eventually(fmt.Sprintf("%s %s to be written", gvr, key), func(ctx context.Context) error {
				_, err := objects.Resource(gvr).Namespace(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
				if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
					return nil // it has come and gone; or is nobody's to write
				}
				return err
			})
		}
	}
}

// bound returns nil when so many pods with a label are on a node.
func bound(ctx context.Context, client kubernetes.Interface, namespace, app string, want int) error {
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return err
	}
	got := 0
	for _, p := range pods.Items {
		if p.Spec.NodeName != "" && p.DeletionTimestamp == nil {
			got++
		}
	}
	if got != want {
		return fmt.Errorf("%d pods of %s are on a node, want %d", got, app, want)
	}
	return nil
}

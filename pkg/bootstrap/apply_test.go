// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	fakediscovery "k8s.io/client-go/discovery/fake"
	fakedynamic "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/restmapper"
	clienttesting "k8s.io/client-go/testing"
)

// server is an apiserver with one object, or none.
type server struct {
	live    *unstructured.Unstructured
	getErr  error
	patched []error // what the patches end with, one after the other
	asked   []string

	resources *[]*metav1.APIResourceList // that it serves
}

func (s *server) applier(t *testing.T) *applier {
	t.Helper()
	client := fakedynamic.NewSimpleDynamicClient(runtime.NewScheme())
	client.PrependReactor("*", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		asked := action.GetVerb() + " " + action.GetNamespace() + "/" + action.GetResource().Resource
		s.asked = append(s.asked, asked)
		switch a := action.(type) {
		case clienttesting.GetActionImpl:
			if s.getErr == nil && s.live == nil {
				return true, nil, apierrors.NewNotFound(action.GetResource().GroupResource(), a.GetName())
			}
			return true, s.live, s.getErr
		case clienttesting.PatchActionImpl:
			if a.PatchType != types.ApplyPatchType || a.PatchOptions.FieldManager != FieldManager || !*a.PatchOptions.Force || a.PatchOptions.FieldValidation != metav1.FieldValidationStrict {
				t.Errorf("it patches by %s with %+v", a.PatchType, a.PatchOptions)
			}
			err := s.patched[0]
			s.patched = s.patched[1:]
			now := &unstructured.Unstructured{}
			if err == nil {
				err = now.UnmarshalJSON(a.Patch)
			}
			now.SetResourceVersion("7")
			return true, now, err
		case clienttesting.DeleteActionImpl:
			if p := a.DeleteOptions.Preconditions; p == nil || *p.UID != "u" || *p.ResourceVersion != "6" {
				t.Errorf("it deletes on the condition %+v", p)
			}
			return true, nil, nil
		}
		return false, nil, nil
	})
	discovery := &fakediscovery.FakeDiscovery{Fake: &clienttesting.Fake{Resources: []*metav1.APIResourceList{
		{GroupVersion: "v1", APIResources: []metav1.APIResource{{Name: "configmaps", Kind: "ConfigMap", Namespaced: true}}},
		{GroupVersion: "rbac.authorization.k8s.io/v1", APIResources: []metav1.APIResource{{Name: "clusterrolebindings", Kind: "ClusterRoleBinding"}}},
	}}}
	s.resources = &discovery.Resources
	return &applier{client: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discovery))}
}

// liveBinding is the cluster's object, at a resource version.
func liveBinding(version, autoupdate string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding"}}
	o.SetName("b")
	o.SetUID("u")
	o.SetResourceVersion(version)
	o.SetAnnotations(map[string]string{rbacv1.AutoUpdateAnnotationKey: autoupdate})
	return o
}

func TestApply(t *testing.T) {
	const binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: b}\n"
	const get, patch, remove = "get /clusterrolebindings", "patch /clusterrolebindings", "delete /clusterrolebindings"
	invalid := func(field string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{
			Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid, Message: "invalid " + field,
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Field: field}}},
		}}
	}
	for name, test := range map[string]struct {
		manifest string
		server   server
		want     outcome
		asks     []string
		says     string
	}{
		"missing":           {binding, server{patched: []error{nil}}, created, []string{get, patch}, ""},
		"in another state":  {binding, server{live: liveBinding("6", "true"), patched: []error{nil}}, changed, []string{get, patch}, ""},
		"as it should be":   {binding, server{live: liveBinding("7", "true"), patched: []error{nil}}, unchanged, []string{get, patch}, ""},
		"kept by its owner": {binding, server{live: liveBinding("6", "false")}, protected, []string{get}, ""},
		"to another role":   {binding, server{live: liveBinding("6", "true"), patched: []error{invalid("roleRef"), nil}}, changed, []string{get, patch, remove, patch}, ""},
		"invalid":           {binding, server{live: liveBinding("6", "true"), patched: []error{invalid("subjects")}}, failed, []string{get, patch}, "invalid subjects"},
		"no answer":         {binding, server{getErr: errors.New("etcd is away")}, failed, []string{get}, "etcd is away"},
		"not accepted":      {binding, server{patched: []error{errors.New("a webhook")}}, failed, []string{get, patch}, "a webhook"},
		"no such kind":      {"apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: b}\n", server{}, failed, nil, "the cluster has no kind Odd in example.com/v1"},
		"without a namespace": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n", server{patched: []error{nil}}, created,
			[]string{"get default/configmaps", "patch default/configmaps"}, ""},
		"in a namespace": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: team}\n", server{patched: []error{nil}}, created,
			[]string{"get team/configmaps", "patch team/configmaps"}, ""},
		"in none": {"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: b, namespace: team}\n", server{patched: []error{nil}}, created,
			[]string{get, patch}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := parse("m.yaml", []byte(test.manifest))
			if err != nil {
				t.Fatal(err)
			}
			got, now, err := test.server.applier(t).apply(t.Context(), objects[0])
			if got != test.want || (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("it ends with %s, %v, want %s, %q", got, err, test.want, test.says)
			}
			if (now == nil) != (got == failed) {
				t.Errorf("%s: it returns %v", got, now)
			}
			if !slices.Equal(test.server.asked, test.asks) {
				t.Errorf("it asks %q, want %q", test.server.asked, test.asks)
			}
		})
	}
}

func TestAKindThatComesLaterIsFound(t *testing.T) {
	objects, err := parse("m.yaml", []byte("apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: b}\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := server{patched: []error{nil}}
	a := s.applier(t)
	if got, _, err := a.apply(t.Context(), objects[0]); got != failed {
		t.Errorf("it ends with %s, %v", got, err)
	}
	*s.resources = append(*s.resources, &metav1.APIResourceList{GroupVersion: "example.com/v1", APIResources: []metav1.APIResource{{Name: "odds", Kind: "Odd"}}})
	if got, _, err := a.apply(t.Context(), objects[0]); got != created {
		t.Errorf("it ends with %s, %v", got, err)
	}
}

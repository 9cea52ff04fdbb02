// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/utils/ptr"
)

// FieldManager is as whom fields are applied, and owned.
const FieldManager = "khw-bootstrap"

// outcome is what became of one object.
type outcome string

const (
	created   outcome = "created"
	changed   outcome = "changed"
	unchanged outcome = "unchanged"
	protected outcome = "protected" // by its autoupdate annotation
	failed    outcome = "failed"
)

// applier applies objects to one apiserver.
type applier struct {
	client dynamic.Interface
	mapper *restmapper.DeferredDiscoveryRESTMapper
}

func newApplier(config *restclient.Config) (*applier, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &applier{client: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))}, nil
}

// apply makes the cluster's object say what o says, and takes the fields that o
// sets from whoever has them. An object that carries the annotation
// rbac.authorization.kubernetes.io/autoupdate: "false" is left alone, as the
// apiserver leaves its own RBAC objects alone.
//
// The object that it returns is the cluster's, and nil after an error.
func (a *applier) apply(ctx context.Context, o object) (outcome, *unstructured.Unstructured, error) {
	resource, err := a.resource(o)
	if err != nil {
		return failed, nil, err
	}
	live, err := resource.Get(ctx, o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return done(created)(patch(ctx, resource, o))
	}
	if err != nil {
		return failed, nil, err
	}
	if live.GetAnnotations()[rbacv1.AutoUpdateAnnotationKey] == "false" {
		return protected, live, nil
	}
	now, err := patch(ctx, resource, o)
	switch {
	case isRoleRefChange(o, err):
		return done(changed)(replace(ctx, resource, live, o))
	case err == nil && now.GetResourceVersion() == live.GetResourceVersion():
		return unchanged, now, nil
	}
	return done(changed)(now, err)
}

// done returns as what an attempt ended that was to end as o.
func done(o outcome) func(*unstructured.Unstructured, error) (outcome, *unstructured.Unstructured, error) {
	return func(now *unstructured.Unstructured, err error) (outcome, *unstructured.Unstructured, error) {
		if err != nil {
			return failed, nil, err
		}
		return o, now, nil
	}
}

// resourceOf returns as what a kind is served.
func (a *applier) resourceOf(kind schema.GroupVersionKind) (schema.GroupVersionResource, error) {
	mapping, err := a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return schema.GroupVersionResource{}, err
	}
	return mapping.Resource, nil
}

func (a *applier) resource(o object) (dynamic.ResourceInterface, error) {
	gvk := o.GroupVersionKind()
	mapping, err := a.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		a.mapper.Reset() // its definition may come
		return nil, fmt.Errorf("the cluster has no kind %s in %s", gvk.Kind, gvk.GroupVersion())
	}
	if err != nil {
		return nil, err
	}
	resource := a.client.Resource(mapping.Resource)
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		o.SetNamespace("")
		return resource, nil
	}
	if o.GetNamespace() == "" {
		o.SetNamespace(metav1.NamespaceDefault)
	}
	return resource.Namespace(o.GetNamespace()), nil
}

func patch(ctx context.Context, resource dynamic.ResourceInterface, o object) (*unstructured.Unstructured, error) {
	data, err := o.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return resource.Patch(ctx, o.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{
		FieldManager:    FieldManager,
		Force:           ptr.To(true),
		FieldValidation: metav1.FieldValidationStrict,
	})
}

// isRoleRefChange reports whether err refuses to change what a binding binds to,
// which cannot be changed in place.
func isRoleRefChange(o object, err error) bool {
	var status apierrors.APIStatus
	if o.GroupVersionKind().Group != rbacv1.GroupName || !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool { return c.Field == "roleRef" })
}

// replace removes live, unless it has changed since, and makes o in its place.
func replace(ctx context.Context, resource dynamic.ResourceInterface, live *unstructured.Unstructured, o object) (*unstructured.Unstructured, error) {
	uid, version := live.GetUID(), live.GetResourceVersion()
	err := resource.Delete(ctx, live.GetName(), metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("replacing it, as its roleRef cannot be changed: %w", err)
	}
	return patch(ctx, resource, o)
}

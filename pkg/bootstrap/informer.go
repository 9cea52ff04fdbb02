// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"encoding/json"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

// watched is what is known of an object.
type watched = *metav1.PartialObjectMetadata

// newInformer watches the metadata of a kind in a namespace, and keeps of it what
// tells changes apart.
func newInformer(client metadata.Interface, group key) cache.SharedIndexInformer {
	informer := metadatainformer.NewFilteredMetadataInformer(client, group.resource, group.namespace, 0, cache.Indexers{}, nil).Informer()
	// The only error is that of an informer that runs.
	_ = informer.SetTransform(func(o any) (any, error) {
		if m, ok := o.(watched); ok {
			return trimmed(m), nil
		}
		return o, nil
	})
	return informer
}

// trimmed is m without what nobody asks for.
func trimmed(m watched) watched {
	out := &metav1.PartialObjectMetadata{TypeMeta: m.TypeMeta, ObjectMeta: metav1.ObjectMeta{
		Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
	}}
	if value, ok := m.Annotations[rbacv1.AutoUpdateAnnotationKey]; ok {
		out.Annotations = map[string]string{rbacv1.AutoUpdateAnnotationKey: value}
	}
	if i := slices.IndexFunc(m.ManagedFields, isOurs); i >= 0 {
		out.ManagedFields = []metav1.ManagedFieldsEntry{m.ManagedFields[i]}
	}
	return out
}

// isOurs reports whether an entry lists the fields that this package has applied.
func isOurs(e metav1.ManagedFieldsEntry) bool {
	return e.Manager == FieldManager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == ""
}

// ownedMarks change when a field is taken from us, when the object is another one, and
// when it is to be left alone or not any more: whoever changes a field that we have
// applied becomes its owner.
func ownedMarks(o metav1.Object) marks {
	marked := []any{o.GetUID(), o.GetAnnotations()[rbacv1.AutoUpdateAnnotationKey]}
	managed := o.GetManagedFields()
	if i := slices.IndexFunc(managed, isOurs); i >= 0 && managed[i].FieldsV1 != nil {
		var fields any // in one order, whoever wrote them
		if err := json.Unmarshal(managed[i].FieldsV1.GetRawBytes(), &fields); err != nil {
			return unknown
		}
		marked = append(marked, fields)
	}
	text, err := json.Marshal(marked)
	if err != nil {
		return unknown
	}
	return marks(text)
}

// versionMarks change with every change.
func versionMarks(m watched) marks { return marks(m.ResourceVersion) }

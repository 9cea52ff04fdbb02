// SPDX-License-Identifier: Apache-2.0

package defaults

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Outcome is what became of one object.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "created"
	Changed   Outcome = "changed"
	Unchanged Outcome = "unchanged"
	Protected Outcome = "protected" // it would have been changed, but for its annotation
)

// Object is one object that Kubernetes has by default.
type Object struct {
	Kind            schema.GroupVersionKind
	Namespace, Name string
	ensure          func(context.Context) (Outcome, error)
}

// Ensure makes the cluster's object as it has to be.
func (o Object) Ensure(ctx context.Context) (Outcome, error) {
	outcome, err := o.ensure(ctx)
	if err != nil {
		return "", fmt.Errorf("%s: %w", o, err)
	}
	return outcome, nil
}

// String names the object for people: "ClusterRole x" or "Role ns/x".
func (o Object) String() string {
	name := o.Name
	if o.Namespace != "" {
		name = o.Namespace + "/" + name
	}
	return o.Kind.Kind + " " + name
}

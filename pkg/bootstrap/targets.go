// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/defaults"
)

// kubernetesDefaults is the source of the objects that Kubernetes has by default.
const kubernetesDefaults = "Kubernetes' defaults"

// keepDefaults has Kubernetes' own objects kept, as far as their kinds are served,
// unless that has been done.
func (t *term) keepDefaults(ctx context.Context) error {
	if t.defaultsKept {
		return nil
	}
	all, err := t.defaults(ctx)
	if err != nil {
		return fmt.Errorf("%s cannot be kept: %w", kubernetesDefaults, err)
	}
	for _, o := range all {
		resource, err := t.resourceOf(o.Kind)
		if apimeta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s cannot be kept: %w", kubernetesDefaults, err)
		}
		t.keeper.keep(ctx, target{
			key:   key{resource: resource, namespace: o.Namespace, name: o.Name},
			title: o.String(), source: kubernetesDefaults,
			put: func(ctx context.Context) (outcome, marks, error) {
				became, err := o.Ensure(ctx)
				return outcomes[became], unknown, err
			},
			marksOf: versionMarks, is: unknown,
		})
	}
	t.defaultsKept = true
	return nil
}

// outcomes are those of the defaults in our words.
var outcomes = map[defaults.Outcome]outcome{
	defaults.Created: created, defaults.Changed: changed, defaults.Unchanged: unchanged, defaults.Protected: protected, "": failed,
}

// keepApplied has o kept, which is now as it has to be.
func (t *term) keepApplied(ctx context.Context, o object, now *unstructured.Unstructured) error {
	resource, err := t.resourceOf(o.GroupVersionKind())
	if err != nil {
		return err
	}
	t.keeper.keep(ctx, target{
		key:   key{resource: resource, namespace: o.GetNamespace(), name: o.GetName()},
		title: o.String(), source: o.source,
		put: func(ctx context.Context) (outcome, marks, error) {
			became, now, err := t.apply(ctx, o)
			if err != nil {
				return became, unknown, err
			}
			return became, ownedMarks(now), nil
		},
		marksOf: func(m watched) marks { return ownedMarks(m) },
		is:      ownedMarks(now),
	})
	return nil
}

// tellKept tells what became of an object that somebody has changed or deleted.
func (t *term) tellKept(o *target, became outcome, err error) {
	applied.WithLabelValues(string(became)).Inc()
	t.setKept(o.key, err)
	if err != nil {
		_ = t.tell("PutBackFailed", fmt.Errorf("putting back %s: %w", o, err))
		return
	}
	var what string
	switch became {
	case created:
		what = "was deleted"
	case changed:
		what = "was changed"
	case protected:
		if o.source == kubernetesDefaults && t.sayOnce(o.String()) {
			klog.InfoS("A default object lacks something, and its annotation has it left as it is", "object", o.title)
		}
		return
	default:
		return
	}
	putBack.Inc()
	klog.InfoS("Bootstrap object "+what+", and is put back", "object", o.title, "source", o.source)
	t.recorder.Eventf(lease, corev1.EventTypeNormal, "PutBack", "%s %s, and is again as %s", o.title, what, asIn(o.source))
}

// asIn says as where an object is.
func asIn(source string) string {
	if source == kubernetesDefaults {
		return "Kubernetes has it by default"
	}
	return "in " + source
}

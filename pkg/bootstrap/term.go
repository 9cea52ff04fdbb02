// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/metadata"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/defaults"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// retries are the pauses between passes while something is not applied: 1 s,
// twice as long each time, up to a minute.
var retries = wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.2, Steps: 7, Cap: time.Minute}

// term is one leadership.
type term struct {
	*candidate
	apply func(context.Context, object) (outcome, *unstructured.Unstructured, error)
	// resourceOf returns as what a kind is served.
	resourceOf func(schema.GroupVersionKind) (schema.GroupVersionResource, error)
	metadata   metadata.Interface
	// defaults returns what Kubernetes has by default, which is made until ctx ends. A
	// standby has no use for it.
	defaults func(ctx context.Context) ([]defaults.Object, error)

	// Of a round:

	done         map[string]bool // objects applied, by their content
	keeper       *keeper
	defaultsKept bool

	mu   sync.Mutex
	said map[string]bool // what was told in this round
}

// Lead applies everything, again and again until it has worked, and puts back what
// is deleted or changed, until it is asked to begin anew; the next leader looks again
// too.
func (t *term) Lead(ctx context.Context, acting func()) error {
	acting()
	t.discardRequest()
	for ctx.Err() == nil {
		t.round(ctx)
	}
	return nil
}

// round lasts until the next request to begin anew.
func (t *term) round(ctx context.Context) {
	ctx, end := context.WithCancel(ctx)
	defer t.forget()
	t.done, t.said, t.defaultsKept = map[string]bool{}, map[string]bool{}, false
	t.keeper = newKeeper(t.metadata, t.tellKept)
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer end()
	keeping.Go(func() { t.keeper.run(ctx) })
	t.applyAll(ctx)
	select {
	case <-ctx.Done():
	case <-t.again:
	}
}

// discardRequest forgets a request from before this term, which applies
// everything anyway.
func (t *term) discardRequest() {
	select {
	case <-t.again:
	default:
	}
}

// applyAll makes passes until one has worked.
func (t *term) applyAll(ctx context.Context) {
	pause := retries
	for ctx.Err() == nil {
		problems := t.pass(ctx)
		t.set(problems)
		if len(problems) == 0 && ctx.Err() == nil {
			t.report(supervisor.Leading, fmt.Sprintf("%d objects applied", len(t.done)))
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause.Step()):
		}
	}
}

// Close has nothing to give back.
func (t *term) Close() {}

// pass applies what this term has not applied yet and returns what is wrong.
// Files are read anew, so that one that was mended is applied.
func (t *term) pass(ctx context.Context) (problems []error) {
	objects, err := kubeletObjects(t.config.KubeletClientCertificate)
	if err != nil {
		problems = append(problems, t.tell("BindingFailed", err))
	}
	paths, err := files(t.config.ManifestsDir)
	if err != nil {
		problems = append(problems, t.tell("ManifestsUnreadable", err))
	}
	bad := 0
	for _, path := range paths {
		found, err := read(path)
		if err != nil {
			bad++
			problems = append(problems, t.tell("ManifestSkipped", fmt.Errorf("%w; the file is skipped", err)))
			continue
		}
		objects = append(objects, found...)
	}
	skipped.Set(float64(bad))
	if err := t.keepDefaults(ctx); err != nil {
		problems = append(problems, t.tell("DefaultsNotKept", err))
	}
	for _, o := range objects {
		if ctx.Err() != nil {
			return nil // of no interest any more
		}
		if err := t.once(ctx, o); err != nil {
			problems = append(problems, t.tell("ApplyFailed", err))
		}
	}
	return problems
}

// once applies o unless this term has done so.
func (t *term) once(ctx context.Context, o object) error {
	content, err := o.MarshalJSON()
	if err != nil {
		return err
	}
	if t.done[string(content)] {
		return nil
	}
	outcome, now, err := t.apply(ctx, o)
	applied.WithLabelValues(string(outcome)).Inc()
	if err != nil {
		return fmt.Errorf("%s from %s: %w", o, o.source, err)
	}
	if err := t.keepApplied(ctx, o, now); err != nil {
		return fmt.Errorf("%s from %s: %w", o, o.source, err)
	}
	t.done[string(content)] = true
	switch outcome {
	case created:
		t.recorder.Eventf(now, corev1.EventTypeNormal, "Created", "Created from %s", o.source)
	case changed:
		t.recorder.Eventf(now, corev1.EventTypeNormal, "Corrected", "Made to be as in %s", o.source)
	case unchanged:
		return nil
	}
	klog.InfoS("Bootstrap object is "+string(outcome), "object", o.String(), "source", o.source)
	return nil
}

// tell makes a problem known where operators look, once in a term.
func (t *term) tell(reason string, problem error) error {
	if text := problem.Error(); t.sayOnce(text) {
		klog.ErrorS(nil, "Bootstrap has trouble; it tries again", "reason", text)
		t.recorder.Event(lease, corev1.EventTypeWarning, reason, text)
	}
	return problem
}

// sayOnce reports whether words were not said yet in this round.
func (t *term) sayOnce(words string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.said[words] {
		return false
	}
	t.said[words] = true
	return true
}

// lease is the object that troubles are told of: objects that cannot be applied
// may have no namespace for events.
var lease = &corev1.ObjectReference{
	APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: "Lease",
	Namespace: metav1.NamespaceSystem, Name: LeaseName,
}

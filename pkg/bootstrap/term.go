// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// retries are the pauses between passes while something is not applied: 1 s,
// twice as long each time, up to a minute.
var retries = wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.2, Steps: 7, Cap: time.Minute}

// term is one leadership.
type term struct {
	*candidate
	apply func(context.Context, object) (outcome, *unstructured.Unstructured, error)
	done  map[string]bool // objects applied in this term, by their content
	said  map[string]bool // problems told in this term
}

// Lead applies everything, again and again until it has worked, and then waits
// to be asked again; the next leader looks again too.
func (t *term) Lead(ctx context.Context, acting func()) error {
	acting()
	defer t.set(nil)
	t.discardRequest()
	for ctx.Err() == nil {
		t.applyAll(ctx)
		select {
		case <-ctx.Done():
		case <-t.again:
			clear(t.done)
			clear(t.said)
		}
	}
	return nil
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
		if len(problems) == 0 {
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
	if text := problem.Error(); !t.said[text] {
		t.said[text] = true
		klog.ErrorS(nil, "Bootstrap has trouble; it tries again", "reason", text)
		t.recorder.Event(lease, corev1.EventTypeWarning, reason, text)
	}
	return problem
}

// lease is the object that troubles are told of: objects that cannot be applied
// may have no namespace for events.
var lease = &corev1.ObjectReference{
	APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: "Lease",
	Namespace: metav1.NamespaceSystem, Name: LeaseName,
}

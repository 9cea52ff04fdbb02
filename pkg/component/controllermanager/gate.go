// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/informers/internalinterfaces"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// gate keeps event handlers from informers that run already. The stock
// controllers are made before any informer runs and rely on it: some register
// their handlers before they have set what those use.
type gate struct {
	ended <-chan struct{} // with the term

	mu      sync.Mutex
	open    bool
	waiting []func() error // each adds one handler
}

// release adds the handlers that wait; later ones are added at once.
func (g *gate) release() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = true
	var errs []error
	for _, add := range g.waiting {
		errs = append(errs, add())
	}
	g.waiting = nil
	return errors.Join(errs...)
}

// pass calls add when the gate is released, or now if it has been.
func (g *gate) pass(add func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		return add()
	}
	g.waiting = append(g.waiting, add)
	return nil
}

// gated is an informer factory whose informers hold their handlers back. The
// factory below hands out the same informers once they were asked for here.
type gated struct {
	informers.SharedInformerFactory
	gate *gate
}

// InformerFor implements internalinterfaces.SharedInformerFactory.
func (f gated) InformerFor(obj runtime.Object, newFunc internalinterfaces.NewInformerFunc) cache.SharedIndexInformer {
	return f.SharedInformerFactory.InformerFor(obj, func(c kubernetes.Interface, resync time.Duration) cache.SharedIndexInformer {
		return &gatedInformer{SharedIndexInformer: newFunc(c, resync), gate: f.gate}
	})
}

type gatedInformer struct {
	cache.SharedIndexInformer
	gate *gate
}

// AddEventHandler implements cache.SharedInformer.
func (i *gatedInformer) AddEventHandler(h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandlerWithOptions(h, cache.HandlerOptions{})
}

// AddEventHandlerWithResyncPeriod implements cache.SharedInformer.
func (i *gatedInformer) AddEventHandlerWithResyncPeriod(h cache.ResourceEventHandler, resync time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandlerWithOptions(h, cache.HandlerOptions{ResyncPeriod: &resync})
}

// AddEventHandlerWithOptions implements cache.SharedInformer.
func (i *gatedInformer) AddEventHandlerWithOptions(h cache.ResourceEventHandler, options cache.HandlerOptions) (cache.ResourceEventHandlerRegistration, error) {
	r := &registration{synced: make(chan struct{})}
	return r, i.gate.pass(func() (err error) {
		r.real, err = i.SharedIndexInformer.AddEventHandlerWithOptions(h, options)
		if err == nil {
			go r.follow(i.gate.ended)
		}
		return err
	})
}

// RemoveEventHandler implements cache.SharedInformer.
func (i *gatedInformer) RemoveEventHandler(handle cache.ResourceEventHandlerRegistration) error {
	r, ours := handle.(*registration)
	if !ours {
		return i.SharedIndexInformer.RemoveEventHandler(handle)
	}
	return i.gate.pass(func() error { return i.SharedIndexInformer.RemoveEventHandler(r.real) })
}

// registration stands for the one that a held back handler will get. It is its
// own DoneChecker.
type registration struct {
	real   cache.ResourceEventHandlerRegistration // set once the gate is open
	synced chan struct{}
}

// follow closes synced when the real handler has its initial list.
func (r *registration) follow(ended <-chan struct{}) {
	select {
	case <-r.real.HasSyncedChecker().Done():
		close(r.synced)
	case <-ended:
	}
}

// HasSynced implements cache.ResourceEventHandlerRegistration.
func (r *registration) HasSynced() bool { return cache.IsDone(r) }

// HasSyncedChecker implements cache.ResourceEventHandlerRegistration.
func (r *registration) HasSyncedChecker() cache.DoneChecker { return r }

// Name implements cache.DoneChecker.
func (r *registration) Name() string { return "handler of a warm informer" }

// Done implements cache.DoneChecker.
func (r *registration) Done() <-chan struct{} { return r.synced }

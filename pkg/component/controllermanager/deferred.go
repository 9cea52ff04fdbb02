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

// deferredHandlers keeps event handlers from informers that run already. The
// stock controllers are made before any informer runs and rely on it: some
// register their handlers before they have set what those use.
type deferredHandlers struct {
	ended <-chan struct{} // with the term

	mu       sync.Mutex
	released bool
	waiting  []func() error // each adds one handler
}

// release adds the handlers that wait; later ones are added at once.
func (d *deferredHandlers) release() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.released = true
	var errs []error
	for _, add := range d.waiting {
		errs = append(errs, add())
	}
	d.waiting = nil
	return errors.Join(errs...)
}

// add calls add at the release, or now if that has been.
func (d *deferredHandlers) add(add func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.released {
		return add()
	}
	d.waiting = append(d.waiting, add)
	return nil
}

// remove takes back a handler, which an informer never gets that would have had it at
// the release: it would be told of what there is before it were removed again.
func (d *deferredHandlers) remove(r *deferredRegistration, from cache.SharedIndexInformer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.real == nil {
		r.removed = true
		return nil
	}
	return from.RemoveEventHandler(r.real)
}

// deferringFactory is an informer factory whose informers defer their handlers.
// The factory below hands out the same informers once they were asked for here.
type deferringFactory struct {
	informers.SharedInformerFactory
	handlers *deferredHandlers
}

// InformerFor implements internalinterfaces.SharedInformerFactory.
func (f deferringFactory) InformerFor(obj runtime.Object, newFunc internalinterfaces.NewInformerFunc) cache.SharedIndexInformer {
	return f.SharedInformerFactory.InformerFor(obj, func(c kubernetes.Interface, resync time.Duration) cache.SharedIndexInformer {
		return &deferringInformer{SharedIndexInformer: newFunc(c, resync), handlers: f.handlers}
	})
}

type deferringInformer struct {
	cache.SharedIndexInformer
	handlers *deferredHandlers
}

// AddEventHandler implements cache.SharedInformer.
func (i *deferringInformer) AddEventHandler(h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandlerWithOptions(h, cache.HandlerOptions{})
}

// AddEventHandlerWithResyncPeriod implements cache.SharedInformer.
func (i *deferringInformer) AddEventHandlerWithResyncPeriod(h cache.ResourceEventHandler, resync time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	return i.AddEventHandlerWithOptions(h, cache.HandlerOptions{ResyncPeriod: &resync})
}

// AddEventHandlerWithOptions implements cache.SharedInformer.
func (i *deferringInformer) AddEventHandlerWithOptions(h cache.ResourceEventHandler, options cache.HandlerOptions) (cache.ResourceEventHandlerRegistration, error) {
	r := &deferredRegistration{synced: make(chan struct{})}
	return r, i.handlers.add(func() (err error) {
		if r.removed {
			return nil
		}
		r.real, err = i.SharedIndexInformer.AddEventHandlerWithOptions(h, options)
		if err == nil {
			go r.follow(i.handlers.ended)
		}
		return err
	})
}

// RemoveEventHandler implements cache.SharedInformer.
func (i *deferringInformer) RemoveEventHandler(handle cache.ResourceEventHandlerRegistration) error {
	r, ours := handle.(*deferredRegistration)
	if !ours {
		return i.SharedIndexInformer.RemoveEventHandler(handle)
	}
	return i.handlers.remove(r, i.SharedIndexInformer)
}

// deferredRegistration stands for the one that a deferred handler will get. It is
// its own DoneChecker.
type deferredRegistration struct {
	real    cache.ResourceEventHandlerRegistration // set at the release
	removed bool                                   // before it
	synced  chan struct{}
}

// follow closes synced when the real handler has its initial list.
func (r *deferredRegistration) follow(ended <-chan struct{}) {
	select {
	case <-r.real.HasSyncedChecker().Done():
		close(r.synced)
	case <-ended:
	}
}

// HasSynced implements cache.ResourceEventHandlerRegistration.
func (r *deferredRegistration) HasSynced() bool { return cache.IsDone(r) }

// HasSyncedChecker implements cache.ResourceEventHandlerRegistration.
func (r *deferredRegistration) HasSyncedChecker() cache.DoneChecker { return r }

// Name implements cache.DoneChecker.
func (r *deferredRegistration) Name() string { return "handler of a warm informer" }

// Done implements cache.DoneChecker.
func (r *deferredRegistration) Done() <-chan struct{} { return r.synced }

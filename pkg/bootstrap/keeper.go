// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// Somebody else may want an object otherwise than it is kept: each time that it is put
// back soon after the last time, it is left alone twice as long before.
const (
	firstPause = time.Second
	lastPause  = time.Minute
	soonAfter  = 10 * time.Minute
)

// key is which object is kept.
type key struct {
	resource        schema.GroupVersionResource
	namespace, name string
}

// target is an object to keep as it has to be.
type target struct {
	key
	title  string // for people
	source string
	// put makes the object as it has to be, and returns the marks of how it is then.
	put func(context.Context) (outcome, marks, error)
	// marksOf are those that a change of what is ours changes.
	marksOf func(watched) marks
	// is how the object is, as far as is known.
	is marks

	last     time.Time // when it was put back last
	earliest time.Time // when it may be put back next
}

// marks tell two states of an object apart, as far as they matter.
type marks string

// The marks of an object that is not there, and of one that has to be looked at.
const (
	absent  marks = ""
	unknown marks = "unknown"
)

// keeper watches objects and has each put back that was deleted, or changed in what is
// ours. It watches the metadata of their kinds in their namespaces, and is idle while
// nothing changes there.
type keeper struct {
	client metadata.Interface
	// tell is told what became of an object that was not as it has to be.
	tell func(*target, outcome, error)

	queue   workqueue.TypedDelayingInterface[key]
	pauses  workqueue.TypedRateLimiter[key]
	watches sync.WaitGroup

	mu      sync.Mutex
	targets map[key]*target
	stores  map[key]cache.Store // by keys without a name
}

func newKeeper(client metadata.Interface, tell func(*target, outcome, error)) *keeper {
	return &keeper{
		client: client, tell: tell,
		queue:   workqueue.NewTypedDelayingQueue[key](),
		pauses:  workqueue.NewTypedItemExponentialFailureRateLimiter[key](firstPause, lastPause),
		targets: map[key]*target{}, stores: map[key]cache.Store{},
	}
}

// run puts back until ctx ends, and returns when nothing is watched any more.
func (k *keeper) run(ctx context.Context) {
	defer k.watches.Wait()
	stop := context.AfterFunc(ctx, k.queue.ShutDown)
	defer stop()
	for {
		next, shutDown := k.queue.Get()
		if shutDown {
			return
		}
		k.look(ctx, next)
		k.queue.Done(next)
	}
}

// keep adds a target, or takes another one for the same object. It is looked at as
// soon as its kind is watched.
func (k *keeper) keep(ctx context.Context, t target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.targets[t.key] = &t
	group := key{resource: t.resource, namespace: t.namespace}
	if _, there := k.stores[group]; !there {
		k.stores[group] = k.watch(ctx, group)
		return
	}
	k.queue.AddAfter(t.key, firstPause) // when the watch has seen what was done
}

// watch begins to watch a kind in a namespace.
func (k *keeper) watch(ctx context.Context, group key) cache.Store {
	informer := newInformer(k.client, group)
	// The only error is that of a stopped informer, and this one is new.
	registration, _ := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { k.changed(group, o) },
		UpdateFunc: func(_, o any) { k.changed(group, o) },
		DeleteFunc: func(o any) { k.changed(group, o) },
	})
	k.watches.Go(func() { informer.RunWithContext(ctx) })
	k.watches.Go(func() {
		if cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
			k.queueAll(group)
		}
	})
	return informer.GetStore()
}

// queueAll has all objects of a kind in a namespace looked at.
func (k *keeper) queueAll(group key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, each := range slices.SortedFunc(maps.Keys(k.targets), func(a, b key) int { return strings.Compare(a.name, b.name) }) {
		if each.resource == group.resource && each.namespace == group.namespace {
			k.queue.Add(each)
		}
	}
}

// changed has an object looked at, if it is one to keep.
func (k *keeper) changed(group key, o any) {
	name, err := cache.DeletionHandlingObjectToName(o)
	if err != nil {
		return // it has no metadata, which nothing has that an apiserver sends
	}
	group.name = name.Name
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.targets[group] != nil {
		k.queue.Add(group)
	}
}

// look puts an object back that is not as it was.
func (k *keeper) look(ctx context.Context, which key) {
	t, is := k.read(which)
	if t == nil || is == t.is {
		return
	}
	if wait := time.Until(t.earliest); wait > 0 {
		k.queue.AddAfter(which, wait)
		return
	}
	outcome, now, err := t.put(ctx)
	if ctx.Err() != nil {
		return
	}
	k.tell(t, outcome, err)
	if err != nil {
		k.queue.AddAfter(which, k.pauses.When(which))
		return
	}
	if t.is = now; now == unknown && (outcome == unchanged || outcome == protected) {
		t.is = is
	}
	if outcome != created && outcome != changed {
		return
	}
	if time.Since(t.last) > soonAfter {
		k.pauses.Forget(which)
	}
	pause := k.pauses.When(which)
	t.last, t.earliest = time.Now(), time.Now().Add(pause)
	k.queue.AddAfter(which, pause) // to see whether it has held
}

// read returns a target, and how its object is by the watch.
func (k *keeper) read(which key) (*target, marks) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.targets[which]
	if t == nil {
		return nil, absent
	}
	store := k.stores[key{resource: which.resource, namespace: which.namespace}]
	o, there, err := store.GetByKey(cache.ObjectName{Namespace: which.namespace, Name: which.name}.String())
	if err != nil || !there {
		return t, absent
	}
	return t, t.marksOf(o.(watched))
}

// String names the object for people, as in a log.
func (t *target) String() string { return fmt.Sprintf("%s from %s", t.title, t.source) }

// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/informers/core"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
)

// eventually waits until done is true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, 20*time.Second, true,
		func(context.Context) (bool, error) { return done(), nil })
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestHandlersWaitForTheReleaseAndThenMissNothing(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-0"}}
	factory := informers.NewSharedInformerFactory(fake.NewClientset(node), 0)
	d := &deferredHandlers{ended: t.Context().Done()}
	warm := core.New(deferringFactory{SharedInformerFactory: factory, handlers: d}, metav1.NamespaceAll, nil).V1().Nodes().Informer()
	factory.Start(t.Context().Done())
	if !cache.WaitForCacheSync(t.Context().Done(), warm.HasSynced) {
		t.Fatal("the cache does not fill before the release")
	}

	var early, removed, late atomic.Int32
	count := func(n *atomic.Int32) cache.ResourceEventHandler {
		return cache.ResourceEventHandlerFuncs{AddFunc: func(any) { n.Add(1) }}
	}
	informer := factory.Core().V1().Nodes().Informer() // as a controller gets it
	first, err := informer.AddEventHandler(count(&early))
	if err != nil {
		t.Fatal(err)
	}
	second, err := informer.AddEventHandlerWithResyncPeriod(count(&removed), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	// A handler that is not deferred has its events by now: so would the others.
	inside := factory.InformerFor(&corev1.Node{}, nil).(*deferringInformer).SharedIndexInformer
	if _, err := inside.AddEventHandler(count(&late)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an ordinary handler", func() bool { return late.Load() == 1 })
	if early.Load() != 0 || first.HasSynced() {
		t.Errorf("before the release: %d events, synced %v", early.Load(), first.HasSynced())
	}

	if err := informer.RemoveEventHandler(second); err != nil {
		t.Fatal(err)
	}
	if err := d.release(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a handler from before", func() bool { return early.Load() == 1 && first.HasSynced() })
	third, err := informer.AddEventHandler(count(&late))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a handler from after", func() bool { return late.Load() == 2 && third.HasSynced() })
	// Added before the third, it would have had its event before that.
	if removed.Load() != 0 {
		t.Errorf("a handler that was removed got %d events", removed.Load())
	}
}

func TestReleaseReportsWhatCannotBeAdded(t *testing.T) {
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	d := &deferredHandlers{ended: t.Context().Done()}
	informer := core.New(deferringFactory{SharedInformerFactory: factory, handlers: d}, metav1.NamespaceAll, nil).V1().Nodes().Informer()
	ctx, stop := context.WithCancel(t.Context())
	factory.Start(ctx.Done())
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{}); err != nil {
		t.Fatal(err)
	}
	stop()
	factory.Shutdown()
	if err := d.release(); err == nil {
		t.Error("a handler was added to an informer that has stopped")
	}
}

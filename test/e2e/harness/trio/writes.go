// SPDX-License-Identifier: Apache-2.0

package trio

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// Writes are ConfigMaps that somebody makes all the time, and remembers once they
// are acknowledged.
type Writes struct {
	// Stop ends them.
	Stop func()

	acknowledged atomic.Int64

	mu    sync.Mutex
	names []string
}

// writers is how many write at once.
const writers = 8

// series tells the names of one who writes from those of the next.
var series atomic.Int64

// retry is what somebody whose write was refused or cut off waits before the next.
const retry = 20 * time.Millisecond

// StartWrites has them written through n by the admin.
func StartWrites(n *Node) *Writes {
	n.Helper()
	return StartWritesAs(n, n.Lab("admin.kubeconfig"), writers)
}

// StartWritesAs has them written through n by who has a kubeconfig, by so many at once.
func StartWritesAs(n *Node, kubeconfig string, writers int) *Writes {
	n.Helper()
	w := &Writes{}
	ctx, cancel := context.WithCancel(n.Context())
	prefix := fmt.Sprintf("%s-%d", n.Name, series.Add(1))
	client := n.ClientOf(kubeconfig).CoreV1().ConfigMaps(metav1.NamespaceDefault)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				name := fmt.Sprintf("%s-%d-%d", prefix, i, k)
				_, err := client.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"k": name}}, metav1.CreateOptions{})
				if err != nil { // refused or cut off: nobody was told that it is there
					select {
					case <-ctx.Done():
					case <-time.After(retry):
					}
					continue
				}
				w.mu.Lock()
				w.names = append(w.names, name)
				w.mu.Unlock()
				w.acknowledged.Add(1)
			}
		})
	}
	w.Stop = func() { cancel(); wg.Wait() }
	n.Cleanup(w.Stop)
	return w
}

// AwaitMore waits until so many more are acknowledged.
func (w *Writes) AwaitMore(e *harness.Env, more int64) {
	e.Helper()
	from := w.acknowledged.Load()
	e.Eventually(fmt.Sprintf("%d more writes", more), func(context.Context) error {
		if got := w.acknowledged.Load() - from; got < more {
			return fmt.Errorf("%d are acknowledged", got)
		}
		return nil
	})
}

// MustAllBeOn wants all that was acknowledged to be there, as n serves it.
func (w *Writes) MustAllBeOn(n *Node) {
	n.Helper()
	found, err := n.Client().CoreV1().ConfigMaps(metav1.NamespaceDefault).List(n.Context(), metav1.ListOptions{})
	n.Must(err)
	there := map[string]bool{}
	for _, c := range found.Items {
		there[c.Name] = c.Data["k"] == c.Name
	}
	lost := 0
	for _, name := range w.names {
		if !there[name] {
			lost++
		}
	}
	n.Logf("%s: %d writes were acknowledged, %d objects are there", n.Name, len(w.names), len(there))
	if lost > 0 || len(w.names) == 0 {
		n.Errorf("%s: %d of %d acknowledged writes are lost", n.Name, lost, len(w.names))
	}
}

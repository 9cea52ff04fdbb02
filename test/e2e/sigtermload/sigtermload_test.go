// SPDX-License-Identifier: Apache-2.0

// Package sigtermload stops a control plane that is being written to and
// watched: what it has acknowledged must be there after the next start.
package sigtermload

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

const (
	writers  = 16
	watchers = 8
	// stopsWithin is what "in seconds" means, under load.
	stopsWithin = 15 * time.Second
	// enough writes show that the load is on.
	enough = 500
)

func TestNoAcknowledgedWriteIsLost(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.StartReady()
	load := startLoad(c)
	e.Eventually("the load", func(context.Context) error {
		if n := len(load.acknowledged()); n < enough {
			return fmt.Errorf("%d writes acknowledged, want %d", n, enough)
		}
		return nil
	})

	began := time.Now()
	c.StopInOrder()
	if took := time.Since(began); took > stopsWithin {
		t.Errorf("SIGTERM to exit took %s under load, want at most %s", took, stopsWithin)
	}
	e.Eventually("the watches to end", func(context.Context) error {
		if n := load.watchesEnded(); n != watchers {
			return fmt.Errorf("%d of %d were", n, watchers)
		}
		return nil
	})
	load.stop()

	c.StartReady()
	there := map[string]bool{}
	list, err := c.Client().CoreV1().ConfigMaps(metav1.NamespaceDefault).List(e.Context(), metav1.ListOptions{})
	e.Must(err)
	for _, m := range list.Items {
		there[m.Name] = true
	}
	lost := 0
	for _, name := range load.acknowledged() {
		if !there[name] {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged writes are lost", lost, len(load.acknowledged()))
	}
	c.StopInOrder()
}

// load writes and watches until the server is gone.
type load struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	acked []string
	ended int
}

func startLoad(c *harness.Controller) *load {
	c.Helper()
	ctx, cancel := context.WithCancel(c.Context())
	l := &load{cancel: cancel}
	c.Cleanup(l.stop)
	for w := range watchers {
		client := c.Client()
		watch, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Watch(ctx, metav1.ListOptions{})
		if err != nil {
			c.Fatalf("watcher %d: %v", w, err)
		}
		l.wg.Go(func() {
			for range watch.ResultChan() {
			}
			if ctx.Err() == nil { // by the server, not by us
				l.mu.Lock()
				defer l.mu.Unlock()
				l.ended++
			}
		})
	}
	for w := range writers {
		client := c.Client()
		l.wg.Go(func() { l.write(ctx, client, w) })
	}
	return l
}

func (l *load) write(ctx context.Context, client kubernetes.Interface, writer int) {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("writer-%d-%d", writer, i)
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"i": name}}
		if _, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(ctx, m, metav1.CreateOptions{}); err != nil {
			// Refused, or cut off: nothing was promised.
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		l.mu.Lock()
		l.acked = append(l.acked, name)
		l.mu.Unlock()
	}
}

func (l *load) acknowledged() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.acked...)
}

func (l *load) watchesEnded() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

func (l *load) stop() {
	l.cancel()
	l.wg.Wait()
}

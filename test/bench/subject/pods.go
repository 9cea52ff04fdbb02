// SPDX-License-Identifier: Apache-2.0

package subject

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// The work of BindPods: pods onto nodes, created by so many workers at once.
const (
	nodes   = 500
	pods    = 3000
	workers = 16
	// podsPatience is how long all of it may take.
	podsPatience = 5 * time.Minute
)

// BindPods makes 500 nodes, then 3,000 pods, and returns how many of these were
// bound per second, from the first create to the last bind as a watch sees it.
func (r *Run) BindPods(ctx context.Context) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, podsPatience)
	defer cancel()
	if err := cluster.CreateNodes(ctx, r.Client, nodes); err != nil {
		return 0, fmt.Errorf("creating nodes: %w", err)
	}
	watched := watchBound(ctx, r.Client)
	begun := time.Now()
	if err := cluster.Parallel(ctx, workers, pods, func(ctx context.Context, i int) error {
		_, err := r.Client.CoreV1().Pods(metav1.NamespaceDefault).Create(ctx, cluster.Pod(fmt.Sprintf("pod-%d", i)), metav1.CreateOptions{})
		return err
	}); err != nil {
		return 0, fmt.Errorf("creating pods: %w", err)
	}
	if err := r.Await(ctx, podsPatience, "all pods to be bound", watched.all); err != nil {
		return 0, err
	}
	return pods / watched.last.Sub(begun).Seconds(), nil
}

// binds counts pods that were seen bound, and knows when the last one was.
type binds struct {
	seen atomic.Int64
	last time.Time // to be read when all are seen
}

// all returns nil when all pods are bound.
func (b *binds) all(context.Context) error {
	if n := b.seen.Load(); n < pods {
		return fmt.Errorf("%d of %d are", n, pods)
	}
	return nil
}

// watchBound watches as components do: an informer survives the end of a watch.
func watchBound(ctx context.Context, client *kubernetes.Clientset) *binds {
	b := &binds{}
	bound := map[string]bool{}
	see := func(obj any) {
		p, ok := obj.(*corev1.Pod)
		if !ok || p.Spec.NodeName == "" || bound[p.Name] {
			return
		}
		bound[p.Name] = true
		b.last = time.Now()
		b.seen.Store(int64(len(bound)))
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(metav1.NamespaceDefault))
	informer := factory.Core().V1().Pods().Informer()
	// The only error is that of a stopped informer, and this one is new.
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, obj any) { see(obj) }})
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return b
}

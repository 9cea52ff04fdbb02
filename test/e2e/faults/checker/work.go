// SPDX-License-Identifier: Apache-2.0

package checker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// workEvery is the pause between two Deployments.
const workEvery = 500 * time.Millisecond

// Work is what the controllers and the scheduler have done with Deployments of one
// pod each.
type Work struct {
	mu    sync.Mutex
	pods  map[string]string
	bound map[string]time.Time
}

// work makes Deployments until ctx ends. One that is refused is passed over.
func (c *Checker) work(ctx context.Context, client kubernetes.Interface, namespace string) {
	tick := time.NewTicker(workEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, _ = client.AppsV1().Deployments(namespace).Create(ctx, cluster.Deployment(fmt.Sprintf("work-%d", i), 1), metav1.CreateOptions{})
	}
}

func (c *Checker) watchPods(ctx context.Context, client kubernetes.Interface, namespace string) {
	pods := client.CoreV1().Pods(namespace)
	source{
		list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return pods.List(ctx, o) },
		watch: pods.Watch,
		listed: func(_ int64, items []runtime.Object) {
			for _, item := range items {
				c.seePod(item)
			}
		},
		seen: func(_ int64, object runtime.Object) { c.seePod(object) },
	}.follow(ctx)
}

func (w *Work) seePod(object runtime.Object) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pods == nil {
		w.pods, w.bound = map[string]string{}, map[string]time.Time{}
	}
	uid := string(pod.UID)
	w.pods[uid] = pod.Labels["app"]
	if _, known := w.bound[uid]; !known && pod.Spec.NodeName != "" {
		w.bound[uid] = time.Now()
	}
}

// Pods are the owners of all pods that there ever were, by UID.
func (w *Work) Pods() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.pods)
}

// Bound is when pods were seen to be on a node, in order.
func (w *Work) Bound() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Values(w.bound), time.Time.Compare)
}

// Idle is the longest time between two moments in which no pod was put on a node.
func Idle(bound []time.Time, from, to time.Time) time.Duration {
	var idle time.Duration
	last := from
	for _, at := range bound {
		if at.After(from) && at.Before(to) {
			idle = max(idle, at.Sub(last))
			last = at
		}
	}
	return max(idle, to.Sub(last))
}

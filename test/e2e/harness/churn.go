// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// Churn keeps the controller-manager and the scheduler at work: Deployments of
// one pod, one after the other.
type Churn struct {
	*Env
	client  kubernetes.Interface
	created atomic.Int64
	making  sync.Mutex // held while one is made, and throughout a Pause
}

// churnEvery is the pause between two Deployments.
const churnEvery = 200 * time.Millisecond

// StartChurn starts a Churn through client, on nodes of its own; it ends with
// the test.
func (e *Env) StartChurn(client kubernetes.Interface) *Churn {
	e.Helper()
	e.Must(cluster.CreateNodes(e.Context(), client, 20))
	c := &Churn{Env: e, client: client}
	ctx, cancel := context.WithCancel(e.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(churnEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if c.making.TryLock() {
				c.next(ctx)
				c.making.Unlock()
			}
		}
	}()
	e.Cleanup(func() { cancel(); <-done })
	return c
}

// next makes a Deployment. One that is refused, as by an apiserver whose etcd is
// away, is passed over.
func (c *Churn) next(ctx context.Context) {
	name := fmt.Sprintf("churn-%d", c.created.Add(1))
	_, err := c.client.AppsV1().Deployments(metav1.NamespaceDefault).Create(ctx, cluster.Deployment(name, 1), metav1.CreateOptions{})
	if err != nil && ctx.Err() == nil {
		c.Logf("%s %s: %v", time.Now().Format(time.TimeOnly), name, err)
	}
}

// AwaitWork waits until a Deployment made from now on has its pod bound: the
// controller-manager and the scheduler both work.
func (c *Churn) AwaitWork() {
	c.Helper()
	name := fmt.Sprintf("work-%d", c.created.Add(1))
	c.Eventually("the Deployment "+name+" to be made", func(ctx context.Context) error {
		_, err := c.client.AppsV1().Deployments(metav1.NamespaceDefault).Create(ctx, cluster.Deployment(name, 1), metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil // by a try that was cut off
		}
		return err
	})
	c.Eventually("its pod to be bound", func(ctx context.Context) error {
		return c.bound(ctx, 1, metav1.ListOptions{LabelSelector: "app=" + name})
	})
}

// Pause makes no more Deployments and waits until nothing is left to do for
// those that were made.
func (c *Churn) Pause() {
	c.Helper()
	c.making.Lock()
	c.Eventually("all work to be done", func(ctx context.Context) error {
		deployments, err := c.client.AppsV1().Deployments(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, d := range deployments.Items {
			if d.Status.ObservedGeneration != d.Generation || d.Status.UpdatedReplicas != 1 {
				return fmt.Errorf("the status of the Deployment %s is not up to date", d.Name)
			}
		}
		return c.bound(ctx, len(deployments.Items), metav1.ListOptions{})
	})
}

// Resume goes on after a Pause.
func (c *Churn) Resume() { c.making.Unlock() }

// bound returns nil when so many pods are on a node.
func (c *Churn) bound(ctx context.Context, want int, which metav1.ListOptions) error {
	pods, err := c.client.CoreV1().Pods(metav1.NamespaceDefault).List(ctx, which)
	if err != nil {
		return err
	}
	got := 0
	for _, p := range pods.Items {
		if p.Spec.NodeName != "" {
			got++
		}
	}
	if got != want {
		return fmt.Errorf("%d pods are on a node, want %d", got, want)
	}
	return nil
}

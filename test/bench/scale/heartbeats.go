// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

// renewEvery is how often each node's lease is renewed. A kubelet does so every 10 s;
// this is what the node lifecycle controller needs to see within its 50 s of grace.
const renewEvery = 30 * time.Second

// renewersPerClient are enough where a request takes a third of a second, as it may
// while pods are made.
const renewersPerClient = 16

// heartbeats keep nodes alive, as their kubelets would.
type heartbeats struct {
	clients []*kubernetes.Clientset
	leases  []*coordinationv1.Lease

	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	err    error // the first one
}

func newHeartbeats(nodes int, clients []*kubernetes.Clientset) *heartbeats {
	return &heartbeats{clients: clients, leases: make([]*coordinationv1.Lease, nodes)}
}

// create makes a node's lease.
func (h *heartbeats) create(ctx context.Context, c *kubernetes.Clientset, i int) (err error) {
	h.leases[i], err = c.CoordinationV1().Leases(corev1.NamespaceNodeLease).Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName(i)},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity:       ptr.To(nodeName(i)),
			LeaseDurationSeconds: ptr.To(int32(40)), // the kubelet's
			RenewTime:            ptr.To(metav1.NowMicro()),
		},
	}, metav1.CreateOptions{})
	return err
}

// start renews all leases until stop, or the end of ctx. Each of the renewers has its
// share of them, which it renews one after the other, evenly over the time.
func (h *heartbeats) start(ctx context.Context) {
	ctx, h.cancel = context.WithCancel(ctx)
	renewers := min(renewersPerClient*len(h.clients), len(h.leases))
	for first := range renewers {
		h.done.Go(func() {
			share := (len(h.leases) + renewers - 1) / renewers
			tick := time.NewTicker(renewEvery / time.Duration(share))
			defer tick.Stop()
			for i := first; ; {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				h.renew(ctx, h.clients[first%len(h.clients)], i)
				if i += renewers; i >= len(h.leases) {
					i = first
				}
			}
		})
	}
}

func (h *heartbeats) renew(ctx context.Context, c *kubernetes.Clientset, i int) {
	h.leases[i].Spec.RenewTime = ptr.To(metav1.NowMicro())
	renewed, err := c.CoordinationV1().Leases(corev1.NamespaceNodeLease).Update(ctx, h.leases[i], metav1.UpdateOptions{})
	if err == nil {
		h.leases[i] = renewed
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil && ctx.Err() == nil {
		h.err = fmt.Errorf("renewing the lease of %s: %w", nodeName(i), err)
	}
}

// stop ends the renewing, and returns an error when a lease was not renewed.
func (h *heartbeats) stop() error {
	h.cancel()
	h.done.Wait()
	return h.err
}

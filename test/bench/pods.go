// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// The work: pods onto nodes, created by so many workers at once.
const (
	nodes   = 500
	pods    = 3000
	workers = 16
)

// bindPods returns how many pods were bound per second, from the first create
// to the last bind as a watch sees it.
func bindPods(client *kubernetes.Clientset) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := cluster.CreateNodes(ctx, client, nodes); err != nil {
		return 0, fmt.Errorf("creating nodes: %w", err)
	}
	bound := watchBound(ctx, client)
	begun := time.Now()
	if err := cluster.Parallel(ctx, workers, pods, func(ctx context.Context, i int) error {
		_, err := client.CoreV1().Pods(metav1.NamespaceDefault).Create(ctx, cluster.Pod(fmt.Sprintf("pod-%d", i)), metav1.CreateOptions{})
		return err
	}); err != nil {
		return 0, fmt.Errorf("creating pods: %w", err)
	}
	select {
	case at := <-bound:
		return pods / at.Sub(begun).Seconds(), nil
	case <-ctx.Done():
		return 0, errors.New("not all pods were bound in time")
	}
}

// watchBound sends the time at which the last of all pods was seen bound. It
// watches as components do: an informer survives the end of a watch.
func watchBound(ctx context.Context, client *kubernetes.Clientset) <-chan time.Time {
	last := make(chan time.Time, 1)
	bound := map[string]bool{}
	see := func(obj any) {
		p, ok := obj.(*corev1.Pod)
		if !ok || p.Spec.NodeName == "" || bound[p.Name] {
			return
		}
		if bound[p.Name] = true; len(bound) == pods {
			last <- time.Now()
		}
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(metav1.NamespaceDefault))
	informer := factory.Core().V1().Pods().Informer()
	// The only error is that of a stopped informer, and this one is new.
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, obj any) { see(obj) }})
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return last
}

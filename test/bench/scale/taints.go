// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/bench/subject"
)

// taintPatience is how long the node lifecycle controller may take to get through all
// nodes: each is tainted as not ready when it is made, and with the lab's flags stock's
// makes 20 requests a second.
const taintPatience = 15 * time.Minute

// How often nodes are looked at, and how many at once: what is asked is work for the
// apiserver too, and the first one that is tainted is the answer.
const (
	taintEvery = time.Second
	taintPage  = 100
)

func awaitNoneTainted(ctx context.Context, r *subject.Run) error {
	return r.Await(ctx, taintPatience, "nodes without taints", func(ctx context.Context) error {
		err := noneTainted(ctx, r.Client)
		if err != nil {
			err = errors.Join(err, subject.Rest(ctx, taintEvery))
		}
		return err
	})
}

// noneTainted wants no node to be taken for dead, or not to be known yet: what follows
// would not be what an idle cluster costs.
func noneTainted(ctx context.Context, c kubernetes.Interface) error {
	for page := (metav1.ListOptions{Limit: taintPage}); ; {
		nodes, err := c.CoreV1().Nodes().List(ctx, page)
		if err != nil {
			return err
		}
		for _, n := range nodes.Items {
			for _, taint := range n.Spec.Taints {
				if taint.Key == corev1.TaintNodeUnreachable || taint.Key == corev1.TaintNodeNotReady {
					return fmt.Errorf("%s has the taint %s", n.Name, taint.Key)
				}
			}
		}
		if page.Continue = nodes.Continue; page.Continue == "" {
			return nil
		}
	}
}

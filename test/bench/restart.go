// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/bench/pairs"
	"github.com/khw-controller/khw-controller/test/bench/subject"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// What is there before a restart: half of it is encrypted in etcd, as the lab has it
// for secrets.
const (
	objects       = 10_000
	objectSize    = 1 << 10
	objectWorkers = 16
	// objectsPatience is how long making them may take.
	objectsPatience = 5 * time.Minute
)

// measureRestart measures a start on what another one has left, after an orderly end.
func measureRestart(ctx context.Context, r *subject.Run, all pairs.Figures) error {
	if _, err := r.StartReady(ctx); err != nil {
		return err
	}
	if err := makeObjects(ctx, r); err != nil {
		return fmt.Errorf("making %d objects: %w", objects, err)
	}
	if err := r.Stop(); err != nil {
		return err
	}
	took, err := r.StartReadyz(ctx)
	all["restart"] = took
	return err
}

func makeObjects(ctx context.Context, r *subject.Run) error {
	ctx, cancel := context.WithTimeout(ctx, objectsPatience)
	defer cancel()
	data := map[string][]byte{"x": bytes.Repeat([]byte("x"), objectSize)}
	core := r.Client.CoreV1()
	return cluster.Parallel(ctx, objectWorkers, objects, func(ctx context.Context, i int) error {
		meta := metav1.ObjectMeta{Name: fmt.Sprintf("object-%d", i)}
		var err error
		if i%2 == 0 {
			_, err = core.ConfigMaps(metav1.NamespaceDefault).Create(ctx, &corev1.ConfigMap{ObjectMeta: meta, BinaryData: data}, metav1.CreateOptions{})
		} else {
			_, err = core.Secrets(metav1.NamespaceDefault).Create(ctx, &corev1.Secret{ObjectMeta: meta, Data: data}, metav1.CreateOptions{})
		}
		return err
	})
}

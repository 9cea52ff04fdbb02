// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/bench/subject"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// fleet is what a cluster is filled with.
type fleet struct {
	nodes, pods int
}

// How many connections make it, how many requests each has at once, and how long all
// of it may take.
const (
	connections  = 4
	perClient    = 8
	loadPatience = 90 * time.Minute
)

// podsPerNode is the kubelet's default.
const podsPerNode = 110

func (f *fleet) valid() error {
	switch {
	case f.nodes < 1 || f.pods < 0:
		return fmt.Errorf("%d nodes and %d pods are no cluster; give -nodes at least 1", f.nodes, f.pods)
	case f.pods >= f.nodes*podsPerNode:
		return fmt.Errorf("%d pods and one more do not fit on %d nodes of %d each; raise -nodes", f.pods, f.nodes, podsPerNode)
	}
	return nil
}

// writes are the requests that make it: a node and its lease, a pod and its status.
func (f *fleet) writes() int { return 2*f.nodes + 2*f.pods }

// newClients returns clients with a connection each.
func newClients(s subject.Site) ([]*kubernetes.Clientset, error) {
	var clients []*kubernetes.Clientset
	for range connections {
		c, err := s.NewClient()
		if err != nil {
			return nil, err
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// load makes everything. The nodes' leases are renewed from then on, so that the node
// lifecycle controller does not take them for dead.
func (f *fleet) load(ctx context.Context, clients []*kubernetes.Clientset, beats *heartbeats) error {
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, loadPatience)
	defer cancel()
	each := func(n int, do func(context.Context, *kubernetes.Clientset, int) error) error {
		return cluster.Parallel(ctx, connections*perClient, n, func(ctx context.Context, i int) error {
			return do(ctx, clients[i%connections], i)
		})
	}
	if err := each(f.nodes, func(ctx context.Context, c *kubernetes.Clientset, i int) error {
		if _, err := c.CoreV1().Nodes().Create(ctx, cluster.Node(nodeName(i)), metav1.CreateOptions{}); err != nil {
			return err
		}
		return beats.create(ctx, c, i)
	}); err != nil {
		return fmt.Errorf("making nodes: %w", err)
	}
	beats.start(whole)
	if err := each(f.pods, func(ctx context.Context, c *kubernetes.Clientset, i int) error {
		pods := c.CoreV1().Pods(metav1.NamespaceDefault)
		pod, err := pods.Create(ctx, boundPod(fmt.Sprintf("pod-%d", i), nodeName(i%f.nodes)), metav1.CreateOptions{})
		if err != nil {
			return err
		}
		pod.Status = running(i)
		_, err = pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		return err
	}); err != nil {
		return fmt.Errorf("making pods: %w", err)
	}
	return nil
}

func nodeName(i int) string { return fmt.Sprintf("node-%d", i) }

// boundPod is one that the scheduler has nothing to do for.
func boundPod(name, node string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "scale", "pod-template-hash": "5d4f9c7b8"}},
		Spec:       cluster.PodSpec(),
	}
	pod.Spec.NodeName = node
	return pod
}

// running is the status that a kubelet would report.
func running(i int) corev1.PodStatus {
	now := metav1.Now()
	ip := fmt.Sprintf("10.%d.%d.%d", 200+i>>16, i>>8&255, i&255)
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now, HostIP: "192.0.2.20", PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}},
		QOSClass: corev1.PodQOSBurstable,
	}
	for _, c := range []corev1.PodConditionType{
		corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled,
	} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: c, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	started := true
	status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "pause", Image: "registry.k8s.io/pause:3.10", Ready: true, Started: &started,
		ImageID:     "registry.k8s.io/pause@sha256:ee6521f290b2168b6e0935a181d4cff9be1ac3f505666ef0e3c98fae8199917a",
		ContainerID: fmt.Sprintf("containerd://%064x", i),
		State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
	}}
	return status
}

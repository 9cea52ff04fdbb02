// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
)

// eventTimeout is what the apiserver may take to keep an event.
const eventTimeout = 5 * time.Second

// recordWarning has the apiserver keep an event of this controller's, on the
// namespace kube-system.
func recordWarning(ctx context.Context, client func() (*restclient.Config, error), node, reason, text string) error {
	config, err := client()
	if err != nil {
		return err // not serving yet
	}
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	now := metav1.Now()
	_, err = c.CoreV1().Events(metav1.NamespaceSystem).Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: "khw-controller.", Namespace: metav1.NamespaceSystem},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: metav1.NamespaceSystem, Namespace: metav1.NamespaceSystem},
		Type:           corev1.EventTypeWarning, Reason: reason,
		Message: fmt.Sprintf("on %s, %s", node, text),
		Source:  corev1.EventSource{Component: "khw-controller", Host: node}, ReportingController: "khw-controller", ReportingInstance: node,
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}, metav1.CreateOptions{})
	return err
}

// SPDX-License-Identifier: Apache-2.0

// Package webhook finds the admission webhooks that keep a control plane from
// working: one that is called for everything, and refuses what cannot be asked
// (failurePolicy Fail), refuses the leases of the controllers when its service is
// gone.
package webhook

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// refusal matches what an apiserver says where a webhook refuses a request or
// cannot be called (k8s.io/apiserver/pkg/admission/plugin/webhook/errors).
var refusal = regexp.MustCompile(`failed calling webhook "([^"]+)"|admission webhook "([^"]+)" denied the request`)

// Refusing returns the name of the webhook that an apiserver's words call the
// reason of a refusal, or "".
func Refusing(words string) string {
	m := refusal.FindStringSubmatch(words)
	if m == nil {
		return ""
	}
	return m[1] + m[2]
}

// Configurations returns in which objects the webhooks are configured, as kubectl
// takes them (validatingwebhookconfiguration/name), by the webhooks' names.
func Configurations(ctx context.Context, client kubernetes.Interface) (map[string][]string, error) {
	found := map[string][]string{}
	api := client.AdmissionregistrationV1()
	validating, err := api.ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, c := range validating.Items {
		for _, w := range c.Webhooks {
			found[w.Name] = append(found[w.Name], "validatingwebhookconfiguration/"+c.Name)
		}
	}
	mutating, err := api.MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, c := range mutating.Items {
		for _, w := range c.Webhooks {
			found[w.Name] = append(found[w.Name], "mutatingwebhookconfiguration/"+c.Name)
		}
	}
	return found, nil
}

// Problem returns what a webhook does that refuses leases.
func Problem(webhook string) string {
	return fmt.Sprintf("admission webhook %q refuses the leases, so that no controller of the cluster can lead", webhook)
}

// ObjectsProblem returns what a webhook does that refuses the objects of the cluster
// itself: those of manifests.d, and those that Kubernetes and the lab have by default.
func ObjectsProblem(webhook string) string {
	return fmt.Sprintf("admission webhook %q refuses objects that this cluster is to have; they are made when it accepts them", webhook)
}

// Fix returns what ends that, given where webhooks are configured; nil where that
// is not known.
func Fix(webhook string, configurations map[string][]string) string {
	where := configurations[webhook]
	if len(where) == 0 {
		return fmt.Sprintf("find who has it, and delete that: khw-controller kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml | grep -e %s", webhook)
	}
	return "delete it, or mend its service: khw-controller kubectl delete " + strings.Join(where, " ")
}

// tried is the lease that is never made.
const tried = "khw-controller-check"

// TryLease makes a lease like those of the controllers in a dry run, and returns
// the name of the webhook that refuses it, or "". An error is any other reason.
func TryLease(ctx context.Context, client kubernetes.Interface) (string, error) {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: tried}}
	_, err := client.CoordinationV1().Leases(lease.Namespace).Create(ctx, lease, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil {
		return "", nil
	}
	if name := Refusing(err.Error()); name != "" {
		return name, nil
	}
	return "", err
}

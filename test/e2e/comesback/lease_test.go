// SPDX-License-Identifier: Apache-2.0

package comesback

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// deletions is how often each lease is deleted: a standby that took the first chance
// would be the first to see it in three of ten.
const deletions = 6

func TestALeaseThatIsDeletedHasOneLeader(t *testing.T) {
	e := harness.New(t)
	policy := e.AuditPolicy(cluster.AuditWrites)
	first, second, _ := e.Pair(1)
	for _, c := range []*harness.Controller{first, second} {
		c.Args = []string{"--kube-apiserver-arg", policy}
	}
	first.StartReady()
	first.AwaitStatus("kube-controller-manager leading, kube-scheduler leading")
	second.StartReady()
	for _, lease := range cluster.Leases() {
		second.AwaitStatus(lease + " standby ")
	}
	churn := e.StartChurn(first.Client())
	for range deletions {
		for _, lease := range cluster.Leases() {
			before := holder(e, first.Client(), lease)
			e.Must(first.Client().CoordinationV1().Leases(metav1.NamespaceSystem).Delete(e.Context(), lease, metav1.DeleteOptions{}))
			if after := holder(e, first.Client(), lease); after != before {
				t.Errorf("%s was deleted while %s held it, and is %s's", lease, before, after)
			}
		}
		churn.AwaitWork()
	}
	churn.Pause()
	for _, lease := range cluster.Leases() {
		for _, event := range e.Audit(second.Root) {
			if cluster.ActorOf(event) == lease {
				t.Errorf("while the first leads, the second acts: %s", cluster.Describe(event))
			}
		}
	}

	// A holder that is dead is waited out, and no longer.
	first.Process.Kill()
	for _, lease := range cluster.Leases() {
		e.Must(second.Client().CoordinationV1().Leases(metav1.NamespaceSystem).Delete(e.Context(), lease, metav1.DeleteOptions{}))
	}
	second.AwaitStatus("kube-controller-manager leading, kube-scheduler leading")
	second.StopInOrder()
}

// holder waits until somebody holds a lease, and returns who.
func holder(e *harness.Env, client kubernetes.Interface, lease string) (who string) {
	e.Helper()
	e.Eventually("somebody to hold "+lease, func(ctx context.Context) error {
		l, err := client.CoordinationV1().Leases(metav1.NamespaceSystem).Get(ctx, lease, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if who = ptr.Deref(l.Spec.HolderIdentity, ""); who == "" {
			return fmt.Errorf("nobody holds it")
		}
		return nil
	})
	return who
}

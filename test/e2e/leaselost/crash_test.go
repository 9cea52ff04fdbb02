// SPDX-License-Identifier: Apache-2.0

package leaselost

import (
	"context"
	"fmt"
	"testing"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// TestAKilledProcessIsNotWaitedFor has leases last an hour, and kills their holder: the
// process that comes after it on the machine leads all the same.
func TestAKilledProcessIsNotWaitedFor(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	for _, component := range []string{"kube-controller-manager", "kube-scheduler"} {
		c.Args = append(c.Args, "--"+component+"-arg", "leader-elect-lease-duration=1h")
	}
	c.StartReady()
	dead := map[string]string{}
	for _, lease := range cluster.Leases() {
		holder, err := cluster.Holder(t.Context(), c.Client(), lease)
		e.Must(err)
		dead[lease] = holder
	}
	c.Process.Kill()
	c.StartReady()
	for lease, before := range dead {
		e.Within(harness.Patience, "another holder of the lease "+lease, func(ctx context.Context) error {
			holder, err := cluster.Holder(ctx, c.Client(), lease)
			if err == nil && holder == before {
				err = fmt.Errorf("it is that of the dead one, %s", holder)
			}
			return err
		})
	}
	churn := e.StartChurn(c.Client())
	churn.AwaitWork()
	churn.Pause()
	c.StopInOrder()
}

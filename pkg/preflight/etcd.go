// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"sync"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// checkEtcd asks every external member, all at once. One that answers is
// enough to start with.
func checkEtcd(ctx context.Context, in input) []Finding {
	endpoints := in.externalEtcd()
	if len(endpoints) == 0 {
		return nil
	}
	if _, err := in.EtcdAccess.TLS(); err != nil {
		return nil // reported with the certificates themselves
	}
	problems := make([]*etcdclient.Problem, len(endpoints))
	var wg sync.WaitGroup
	for i, endpoint := range endpoints {
		wg.Go(func() { problems[i] = in.EtcdAccess.Check(ctx, endpoint) })
	}
	wg.Wait()
	var found []Finding
	comes := false // a member that may come, or one that is there
	for _, p := range problems {
		if p == nil {
			comes = true
			continue
		}
		f := Finding{Error, "--etcd-servers " + p.Subject, p.Text, p.Fix}
		if p.Reason.MayPass() || p.Reason == connerr.Expired && in.clockBehind {
			f.Severity, comes = Wait, true
		}
		found = append(found, f)
	}
	for i, f := range found {
		// What is wrong with one member stops nobody who waits for another; with one
		// that answers nobody waits.
		if len(found) < len(endpoints) || f.IsError() && comes {
			found[i].Severity = Warning
		}
	}
	return found
}

// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"sync"

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
	for _, p := range problems {
		if p != nil {
			found = append(found, Finding{Error, "--etcd-servers " + p.Subject, p.Text, p.Fix})
		}
	}
	if len(found) < len(endpoints) {
		for i := range found {
			found[i].Severity = Warning
		}
	}
	return found
}

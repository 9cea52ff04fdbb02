// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"time"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// othersPatience is how much longer a start waits for the other members once one has
// answered, which is enough to start with: one that is frozen would hold it up.
const othersPatience = 500 * time.Millisecond

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
	patience := etcdclient.MemberTimeout
	if !in.BeforeRun {
		patience = othersPatience
	}
	problems := in.EtcdAccess.CheckAll(ctx, endpoints, patience)
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

// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Tenure is one holder's time with a lease, by the holders' own clocks.
type Tenure struct {
	// Holder is its identity, "" while nobody held the lease.
	Holder string
	// From is when it asked for the lease, To when its successor did; zero
	// while it holds on.
	From, To time.Time
	// Acts counts the leader's acts in that time, by who did them.
	Acts map[string]int
}

// Tenures returns a lease's history, as far back as etcd has it.
func Tenures(ctx context.Context, c *clientv3.Client, lease string) ([]Tenure, error) {
	versions, err := leaseVersions(ctx, c, "/registry/leases/kube-system/"+lease)
	if err != nil {
		return nil, err
	}
	var all []Tenure
	for _, v := range versions {
		holder := ptr.Deref(v.Spec.HolderIdentity, "")
		if len(all) > 0 {
			last := &all[len(all)-1]
			if last.Holder == holder {
				continue
			}
			last.To = from(v)
		}
		all = append(all, Tenure{Holder: holder, From: from(v), Acts: map[string]int{}})
	}
	return all, nil
}

// from is when v's holder took the lease, or when it was given up.
func from(v *coordinationv1.Lease) time.Time {
	if v.Spec.AcquireTime != nil {
		return v.Spec.AcquireTime.Time
	}
	return ptr.Deref(v.Spec.RenewTime, metav1.MicroTime{}).Time
}

// leaseVersions returns every version of the lease under key, oldest first.
func leaseVersions(ctx context.Context, c *clientv3.Client, key string) ([]*coordinationv1.Lease, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	now, err := c.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if len(now.Kvs) != 1 {
		return nil, fmt.Errorf("etcd has no %s", key)
	}
	var all []*coordinationv1.Lease
	for resp := range c.Watch(ctx, key, clientv3.WithRev(now.Kvs[0].CreateRevision)) {
		if err := resp.Err(); err != nil {
			return nil, fmt.Errorf("reading the history of %s: %w", key, err)
		}
		for _, e := range resp.Events {
			l := &coordinationv1.Lease{}
			if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(e.Kv.Value, nil, l); err != nil {
				return nil, fmt.Errorf("decoding %s: %w", key, err)
			}
			all = append(all, l)
			if e.Kv.ModRevision == now.Kvs[0].ModRevision {
				return all, nil
			}
		}
	}
	return nil, ctx.Err()
}

// Attribute counts in tenures the acts for a lease in the audit log of the
// apiserver that only the replica called who uses, and describes each act that
// was not made within a tenure.
func Attribute(tenures []Tenure, lease, who string, events []auditv1.Event) (stray []string) {
	for _, e := range events {
		if ActorOf(e) != lease {
			continue
		}
		if t := tenureAt(tenures, e.RequestReceivedTimestamp.Time); t != nil {
			t.Acts[who]++
		} else {
			stray = append(stray, who+": "+Describe(e))
		}
	}
	return stray
}

func tenureAt(tenures []Tenure, at time.Time) *Tenure {
	for i := range tenures {
		t := &tenures[i]
		if t.Holder != "" && !at.Before(t.From) && (t.To.IsZero() || at.Before(t.To)) {
			return t
		}
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"strings"
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

// Tenures returns a lease's history since it was made.
func Tenures(ctx context.Context, c *clientv3.Client, lease string) ([]Tenure, error) {
	return TenuresSince(ctx, c, lease, 0)
}

// TenuresSince returns a lease's history from who had it at a revision of etcd.
func TenuresSince(ctx context.Context, c *clientv3.Client, lease string, revision int64) ([]Tenure, error) {
	versions, err := leaseVersions(ctx, c, "/registry/leases/kube-system/"+lease, revision)
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

// leaseVersions returns every version of the lease under key since a revision, oldest
// first, and before them the one that was there by then.
func leaseVersions(ctx context.Context, c *clientv3.Client, key string, since int64) ([]*coordinationv1.Lease, error) {
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
	if since > now.Kvs[0].CreateRevision {
		then, err := c.Get(ctx, key, clientv3.WithRev(since))
		if err != nil {
			return nil, err
		}
		for _, kv := range then.Kvs {
			l, err := decodeLease(key, kv.Value)
			if err != nil {
				return nil, err
			}
			all = append(all, l)
			if kv.ModRevision == now.Kvs[0].ModRevision {
				return all, nil
			}
		}
	}
	for resp := range c.Watch(ctx, key, clientv3.WithRev(max(now.Kvs[0].CreateRevision, since+1))) {
		if err := resp.Err(); err != nil {
			return nil, fmt.Errorf("reading the history of %s: %w", key, err)
		}
		for _, e := range resp.Events {
			l, err := decodeLease(key, e.Kv.Value)
			if err != nil {
				return nil, err
			}
			all = append(all, l)
			if e.Kv.ModRevision == now.Kvs[0].ModRevision {
				return all, nil
			}
		}
	}
	return nil, ctx.Err()
}

func decodeLease(key string, value []byte) (*coordinationv1.Lease, error) {
	l := &coordinationv1.Lease{}
	if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(value, nil, l); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", key, err)
	}
	return l, nil
}

// Exclusive returns what speaks against every act for a lease having been made by
// the one replica that held it, and counts the acts in tenures. audits maps who
// used an apiserver alone to its audit log.
func Exclusive(tenures []Tenure, lease string, audits map[string][]auditv1.Event) (against []string) {
	for who, events := range audits {
		if stray := Attribute(tenures, lease, who, events); len(stray) > 0 {
			against = append(against, fmt.Sprintf("%s: %d acts while nobody held the lease:\n%s", lease, len(stray), strings.Join(stray, "\n")))
		}
	}
	for _, t := range tenures {
		if len(t.Acts) > 1 {
			against = append(against, fmt.Sprintf("%s: more than one acted between %s and %s: %v", lease, t.From, t.To, t.Acts))
		}
	}
	return against
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

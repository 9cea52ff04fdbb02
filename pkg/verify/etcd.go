// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// checkEtcd wants every member healthy, one leader and no alarm.
func checkEtcd(ctx context.Context, t Target) checkResult {
	asked := askMembers(ctx, t, t.Etcd.Endpoints)
	asked = append(asked, askMembers(ctx, t, notAsked(asked))...)
	return evaluateMembers(asked)
}

// evaluateMembers evaluates what all members said.
func evaluateMembers(asked []member) (r checkResult) {
	leaders := map[uint64]bool{}
	listed := map[uint64]*etcdserverpb.Member{}
	told := map[string]bool{}
	for _, m := range asked {
		if m.failure != nil {
			r.failures = append(r.failures, *m.failure)
		}
		for _, other := range m.members {
			listed[other.ID] = other
		}
		if m.status == nil {
			continue
		}
		leaders[m.status.Leader] = true
		for _, trouble := range m.status.Errors {
			if !told[trouble] { // alarms are the whole cluster's
				told[trouble] = true
				r.fail("etcd says: "+strings.TrimSpace(trouble), nextForTrouble(trouble))
			}
		}
	}
	for _, m := range asked {
		if m.status != nil {
			r.output = append(r.output, m.line(listed))
		}
	}
	if len(leaders) > 1 {
		r.fail("the members do not agree on a leader", "see whether tcp 2380 is open between all controllers, and run this again")
	}
	for _, id := range slices.Sorted(maps.Keys(listed)) {
		switch other := listed[id]; {
		case other.Name == "":
			r.fail(fmt.Sprintf("the member at %s was added and has never been started", strings.Join(other.PeerURLs, ",")), "start it, or remove it: khw-controller etcd member remove")
		case other.IsLearner:
			r.fail("the member "+other.Name+" is a learner, which does not vote", "wait until it has caught up: a controller promotes itself, others are promoted by khw-controller etcd member promote")
		}
	}
	return r
}

func nextForTrouble(trouble string) string {
	switch {
	case etcdclient.AlarmFix(trouble) != "":
		return etcdclient.AlarmFix(trouble)
	case strings.Contains(trouble, "no leader"):
		return "start the other members: etcd needs more than half of them"
	}
	return "see etcd's log: journalctl -u etcd, or journalctl -u khw-controller where it is embedded"
}

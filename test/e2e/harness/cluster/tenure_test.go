// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// act is the scheduler's, at a minute.
func act(minute int) auditv1.Event {
	e := auditv1.Event{Verb: "create", ObjectRef: &auditv1.ObjectReference{Resource: "pods", Subresource: "binding"}, ResponseStatus: &metav1.Status{Code: 201}}
	e.User.Username = "system:kube-scheduler"
	e.RequestReceivedTimestamp = metav1.NewMicroTime(minuteAt(minute))
	return e
}

func minuteAt(minute int) time.Time { return time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC) }

func TestExclusive(t *testing.T) {
	history := func() []Tenure {
		return []Tenure{
			{Holder: "a", From: minuteAt(0), To: minuteAt(10), Acts: map[string]int{}},
			{From: minuteAt(10), To: minuteAt(11), Acts: map[string]int{}},
			{Holder: "b", From: minuteAt(11), Acts: map[string]int{}},
		}
	}
	for name, c := range map[string]struct {
		a, b []auditv1.Event
		want string // in the only thing that speaks against it
	}{
		"one after the other":              {[]auditv1.Event{act(0), act(9)}, []auditv1.Event{act(11), act(30)}, ""},
		"the old one acts on":              {[]auditv1.Event{act(9), act(12)}, []auditv1.Event{act(13)}, "more than one acted"},
		"the new one acts before its time": {[]auditv1.Event{act(1)}, []auditv1.Event{act(8)}, "more than one acted"},
		"one acts while nobody leads":      {[]auditv1.Event{act(10)}, nil, "1 acts while nobody held the lease"},
		"one acts before the first":        {[]auditv1.Event{act(-1)}, nil, "1 acts while nobody held the lease"},
	} {
		t.Run(name, func(t *testing.T) {
			against := Exclusive(history(), SchedulerLease, map[string][]auditv1.Event{"a": c.a, "b": c.b})
			if ok := c.want == "" && len(against) == 0 || len(against) == 1 && c.want != "" && strings.Contains(against[0], c.want); !ok {
				t.Errorf("got %q, want %q", against, c.want)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/khw-controller/khw-controller/pkg/preflight"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// told runs a waiting start whose checks find this, one after the other, and the
// last of it for ever; it is stopped once it is running, or after five minutes.
func told(t *testing.T, findings ...[]preflight.Finding) (lines []string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		n := 0
		w := &waiting{check: func(context.Context) []preflight.Finding {
			found := findings[min(n, len(findings)-1)]
			n++
			return found
		}}
		err = w.Run(ctx, func(state supervisor.State, detail string) {
			if line := string(state) + " " + detail; !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
			if state == supervisor.Running {
				cancel()
			}
		})
		if w.Checks() != int64(n) {
			t.Errorf("%d checks are counted, %d were made", w.Checks(), n)
		}
	})
	return lines, err
}

func TestAStartWaits(t *testing.T) {
	etcd := preflight.Finding{Severity: preflight.Wait, Subject: "--etcd-servers https://10.240.0.10:2379", Problem: "refuses the connection"}
	clock := preflight.Finding{Severity: preflight.Wait, Subject: "/k.pem", Problem: "is valid only from tomorrow", Fix: "set the clock"}
	lines, err := told(t, []preflight.Finding{etcd, clock}, []preflight.Finding{etcd, clock}, []preflight.Finding{etcd}, nil)
	if err != nil || len(lines) != 3 {
		t.Fatalf("got %q, %v", lines, err)
	}
	for i, want := range [][]string{
		{"starting waits: --etcd-servers https://10.240.0.10:2379 refuses the connection (since ", "; /k.pem is valid only from tomorrow (since "},
		{"starting waits: --etcd-servers https://10.240.0.10:2379 refuses the connection (since "},
		{"running waited 6s"},
	} {
		for _, s := range want {
			if !strings.Contains(lines[i], s) {
				t.Errorf("%q does not say %q", lines[i], s)
			}
		}
	}
	if _, since, _ := strings.Cut(lines[0], "(since "); !strings.Contains(lines[1], since[:len("15:04:05")]) {
		t.Errorf("it forgets since when: %q, %q", lines[0], lines[1])
	}
}

func TestWhatIsFoundWrongInTheMeantimeEndsTheStart(t *testing.T) {
	wait := preflight.Finding{Severity: preflight.Wait, Subject: "etcd", Problem: "refuses"}
	wrong := preflight.Finding{Severity: preflight.Error, Subject: "etcd", Problem: "has a certificate of another CA", Fix: "use its CA"}
	_, err := told(t, []preflight.Finding{wait}, []preflight.Finding{wrong, {Severity: preflight.Warning}})
	if err == nil || err.Error() != wrong.String() {
		t.Errorf("got %v", err)
	}
}

func TestAStopEndsTheWaitingInOrder(t *testing.T) {
	if lines, err := told(t, []preflight.Finding{{Severity: preflight.Wait, Subject: "etcd", Problem: "refuses"}}); err != nil || len(lines) != 1 {
		t.Errorf("got %q, %v", lines, err)
	}
}

func TestEverybodyWaits(t *testing.T) {
	all := afterWaiting([]supervisor.Component{{Name: "etcd"}, {Name: "kube-apiserver", Needs: []string{"etcd"}}, {Name: "health-proxy", Outlives: []string{"etcd", "kube-apiserver"}}}, &waiting{})
	for state, want := range map[supervisor.State]bool{supervisor.Waiting: true, supervisor.Starting: true, supervisor.Running: false} {
		if got := isWaiting([]supervisor.Status{{Component: "etcd", State: supervisor.Starting}, {Component: preflightName, State: state}}); got != want {
			t.Errorf("%s is waiting: %v", state, got)
		}
	}
	if all[0].Name != preflightName || !slices.Equal(all[1].Needs, []string{preflightName}) || !slices.Equal(all[2].Needs, []string{"etcd"}) || len(all[3].Needs) != 0 {
		t.Errorf("got %+v", all)
	}
}

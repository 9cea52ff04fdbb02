// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/khw-controller/khw-controller/test/e2e/faults/checker"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// TestCore is what runs with the other scenarios.
func TestCore(t *testing.T) {
	s := newSite(harness.New(t), embedded)
	var rows []row
	for _, f := range table {
		if f.core > 0 {
			f.lasts = f.core
			rows = append(rows, s.suffer(f))
		}
	}
	t.Log("\n" + tabular(rows))
}

// chosen reports whether make e2e-faults was asked for a fault of a kind of
// controllers; FAULT and KIND are regular expressions.
func chosen(k kind, fault string) bool {
	matches := func(name, text string) bool { return regexp.MustCompile(os.Getenv(name)).MatchString(text) }
	return os.Getenv("FAULTS") == "all" && matches("KIND", string(k)) && matches("FAULT", fault)
}

// sufferAll has all of a table that is chosen happen to a site, and prints the figures.
func sufferAll(t *testing.T, k kind, table []fault, built func(*harness.Env) *site) {
	t.Helper()
	table = slices.DeleteFunc(slices.Clone(table), func(f fault) bool { return !chosen(k, f.name) })
	if len(table) == 0 {
		t.Skip("make e2e-faults runs it")
	}
	s := built(harness.New(t))
	var rows []row
	defer func() { t.Log("\n" + tabular(rows)) }()
	for _, f := range table {
		rows = append(rows, s.suffer(f))
	}
}

// TestEverything takes an hour or more.
func TestEverything(t *testing.T) {
	for _, k := range everybody {
		t.Run(strings.ReplaceAll(string(k), " ", "-"), func(t *testing.T) {
			mine := slices.DeleteFunc(slices.Clone(table), func(f fault) bool { return !slices.Contains(f.on, k) })
			sufferAll(t, k, mine, func(e *harness.Env) *site { return newSite(e, k) })
		})
	}
}

// TestMachines has the package and systemd instead of processes.
func TestMachines(t *testing.T) { sufferAll(t, machines, machineTable, newMachines) }

// Before a fault, every client has been served so many times, and again after it.
const often = 10

// suffer has a fault happen to clients at work, and judges what they saw.
func (s *site) suffer(f fault) row {
	s.Helper()
	s.Logf("%s %s: %s", time.Now().Format(time.TimeOnly), s.kind, f.name)
	s.awaitWhole("before")
	if f.prepare != nil {
		defer f.prepare(s)()
		s.awaitWhole("prepared")
	}
	s.awaitPeers()
	s.leader() // so that etcd's lead is not moved while clients are at work
	before := moment{s.revision(), s.audits(), time.Now()}
	c, err := checker.Start(s.Context(), s.admin, s.namespace())
	s.Must(err)
	defer c.Stop()
	s.await("every client to be served", func(context.Context) error { return served(c, before.at) })
	fell, down, logged := s.fell(), s.markedDown(), s.logged()

	from := time.Now()
	undo := f.do(s)
	s.pass(f.lasts)
	lines := most(logged, s.logged())
	undo()
	undone := time.Now()
	s.awaitWhole("afterwards")
	s.await("every client to be served after "+f.name, func(context.Context) error { return served(c, undone) })
	to := time.Now()
	c.Rest()
	s.await("every watch to see what was written", func(context.Context) error { return c.CaughtUp() })
	c.Stop()

	r := row{fault: f.name, kind: s.kind, lasts: f.lasts, back: to.Sub(undone), fell: s.fell() - fell}
	r.down, r.logged = most(down, s.markedDown()), lines
	r.count(c, from, to)
	s.judge(&r, c, before)
	if s.kind != stock {
		if f.steady && r.down > 1 {
			s.Errorf("%s: health checks flap: the balancer found %d times that a controller does not serve", f.name, r.down)
		}
		if f.log > 0 && r.logged > f.log {
			s.Errorf("%s: a controller logs %d lines, want at most %d", f.name, r.logged, f.log)
		}
		if most := max(r.kept.Without, r.fresh.Without); most > f.without+f.lasts {
			s.Errorf("%s: a client was not served for %s, want at most %s", f.name, most, f.without+f.lasts)
		}
		if n := r.kept.Failed + r.fresh.Failed - excused(c.Ops(), from, s.members()); f.perfect && n > 0 {
			s.Errorf("%s: %d requests failed, want none:\n%s", f.name, n, failures(c.Ops(), from))
		}
	}
	s.Log("\n" + tabular([]row{r}) + failures(c.Ops(), from))
	return r
}

// ofHandover are etcd's answers to a write that came while its leader handed the lead
// over, as it does when it is stopped: what another member has put to it is dropped,
// and who waits for that is told when it is late (raft's stepLeader, leadTransferee).
var ofHandover = regexp.MustCompile("etcdserver: request timed out|raft proposal dropped")

// excused counts the requests that failed so since a moment, of which there may be one
// for each controller that ends with a member.
func excused(ops []checker.Op, from time.Time, most int) int {
	n := 0
	for _, op := range ops {
		if op.Began.After(from) && ofHandover.MatchString(op.Err) {
			n++
		}
	}
	return min(n, most)
}

// members is how many controllers have a member of etcd in them.
func (s *site) members() int {
	if s.kind == embedded || s.kind == machines {
		return len(s.nodes)
	}
	return 0
}

// served returns nil when clients and controllers have worked since a moment.
func served(c *checker.Checker, since time.Time) error {
	if err := c.AllServed(often, since); err != nil {
		return err
	}
	if bound := c.Bound(); len(bound) == 0 || bound[len(bound)-1].Before(since) {
		return errors.New("no pod was put on a node")
	}
	return nil
}

// fell is how often services have ended by themselves.
func (s *site) fell() int {
	n := 0
	for _, node := range s.nodes {
		for _, v := range node.services() {
			n += v.fell
		}
	}
	return n
}

// moment is when a fault's story begins: by etcd's revisions, by the audit logs, and by
// this machine's clock.
type moment struct {
	revision int64
	audits   map[string][]auditv1.Event
	at       time.Time
}

// audits are the audit logs of all controllers.
func (s *site) audits() map[string][]auditv1.Event {
	s.Helper()
	all := map[string][]auditv1.Event{}
	for _, n := range s.nodes {
		all[n.Name] = n.audit()
	}
	return all
}

// since are the events of an audit log that were not in it yet at a moment, and of what
// was asked after that. An earlier fault's clock may have written of times to come.
func since(events, before []auditv1.Event, at time.Time) []auditv1.Event {
	if len(before) > 0 {
		last := before[len(before)-1].AuditID
		events = events[slices.IndexFunc(events, func(e auditv1.Event) bool { return e.AuditID == last })+1:]
	}
	return slices.DeleteFunc(slices.Clone(events), func(e auditv1.Event) bool { return e.RequestReceivedTimestamp.Time.Before(at) })
}

func TestWhatIsInAnAuditLogSinceAMoment(t *testing.T) {
	now := time.Now()
	event := func(id string, at time.Duration) auditv1.Event {
		return auditv1.Event{AuditID: types.UID(id), RequestReceivedTimestamp: metav1.NewMicroTime(now.Add(at))}
	}
	before := []auditv1.Event{event("a", -time.Minute), event("by a clock that is ahead", time.Minute)}
	all := append(slices.Clone(before), event("asked before", -time.Second), event("b", time.Second))
	for name, c := range map[string]struct{ events, before []auditv1.Event }{
		"a log":                  {all, before},
		"none before":            {all[2:], nil},
		"a log that was rotated": {all[2:], before},
	} {
		if got := since(c.events, c.before, now); len(got) != 1 || got[0].AuditID != "b" {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// judge looks for what no fault excuses. What stock daemons did is told, and no error.
func (s *site) judge(r *row, c *checker.Checker, before moment) {
	s.Helper()
	ops := c.Ops()
	found := map[string][]string{"stale reads": checker.Stale(ops), "two pods for one": checker.Duplicates(c.Pods())}
	for _, n := range s.nodes {
		var stored map[string]int
		s.await("what "+n.Name+" has stored", func(ctx context.Context) (err error) {
			stored, err = c.Stored(ctx, n.direct)
			return err
		})
		found["writes lost"] = append(found["writes lost"], checker.Lost(ops, stored)...)
	}
	for name, events := range c.Watched() {
		for _, gap := range checker.Gaps(ops, events) {
			found["gaps"] = append(found["gaps"], name+": "+gap)
		}
		r.relists += checker.Relists(events)
	}
	audits := s.audits()
	for name, events := range audits {
		audits[name] = since(events, before.audits[name], before.at)
	}
	for _, lease := range cluster.Leases() {
		var tenures []cluster.Tenure
		s.await("the history of the lease "+lease, func(ctx context.Context) error {
			return s.nodes[0].askEtcd(ctx, func(ctx context.Context, e *clientv3.Client) (err error) {
				tenures, err = cluster.TenuresSince(ctx, e, lease, before.revision)
				return err
			})
		})
		found["two actors"] = append(found["two actors"], cluster.Exclusive(tenures, lease, audits)...)
	}
	r.lost, r.stale, r.gaps = len(found["writes lost"]), len(found["stale reads"]), len(found["gaps"])
	r.actors, r.duplicates = len(found["two actors"]), len(found["two pods for one"])
	for what, all := range found {
		if len(all) == 0 {
			continue
		}
		told := strings.Join(all[:min(len(all), 20)], "\n")
		if s.kind == stock {
			s.Logf("%s: %s: %d:\n%s", r.fault, what, len(all), told)
		} else {
			s.Errorf("%s: %s: %d:\n%s", r.fault, what, len(all), told)
		}
	}
}

func namespaceOf(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

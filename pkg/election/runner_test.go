// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	componentbaseconfig "k8s.io/component-base/config"
	"k8s.io/utils/ptr"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// actor is a Candidate and its own Term.
type actor struct {
	acting   atomic.Int32
	acted    atomic.Bool
	prepared atomic.Int32
	closed   atomic.Int32
	fail     chan error
	states   chan supervisor.State
	fences   chan *Fence
	// cannotStart has a term fail before it acts.
	cannotStart bool
}

func newActor() *actor {
	return &actor{fail: make(chan error, 1), states: make(chan supervisor.State, 100), fences: make(chan *Fence, 10)}
}

func (a *actor) Prepare(_ context.Context, fence *Fence) (Term, error) {
	a.prepared.Add(1)
	a.fences <- fence
	return a, nil
}

func (a *actor) Lead(ctx context.Context, acting func()) error {
	if a.cannotStart {
		return errors.New("cannot be built")
	}
	a.acting.Add(1)
	a.acted.Store(true)
	acting()
	defer a.acting.Add(-1)
	select {
	case <-ctx.Done():
		return nil
	case err := <-a.fail:
		return err
	}
}

func (a *actor) Close() { a.closed.Add(1) }

func (a *actor) report(s supervisor.State, _ string) { a.states <- s }

func (a *actor) await(t *testing.T, want supervisor.State) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case got := <-a.states:
			if got == want {
				return
			}
		case <-deadline:
			t.Fatalf("never came to be %s", want)
		}
	}
}

func settings() componentbaseconfig.LeaderElectionConfiguration {
	return componentbaseconfig.LeaderElectionConfiguration{
		LeaderElect:       true,
		LeaseDuration:     metav1.Duration{Duration: 2 * time.Second},
		RenewDeadline:     metav1.Duration{Duration: time.Second},
		RetryPeriod:       metav1.Duration{Duration: 100 * time.Millisecond},
		ResourceName:      "kube-scheduler",
		ResourceNamespace: "kube-system",
	}
}

// begin runs a's candidacy; stop ends it and returns its result.
func begin(t *testing.T, client kubernetes.Interface, a *actor) (stop func() error) {
	t.Helper()
	return beginWith(t, settings(), client, a)
}

func beginWith(t *testing.T, settings componentbaseconfig.LeaderElectionConfiguration, client kubernetes.Interface, a *actor) (stop func() error) {
	t.Helper()
	r, err := NewRunner(Config{LeaderElectionConfiguration: settings, Client: client}, a)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	result := make(chan error, 1)
	go func() { result <- r.Run(ctx, a.report) }()
	return func() error {
		cancel()
		select {
		case err := <-result:
			return err
		case <-time.After(20 * time.Second):
			t.Fatal("did not stop")
			return nil
		}
	}
}

func lease(t *testing.T, client kubernetes.Interface) *coordinationv1.Lease {
	t.Helper()
	l, err := client.CoordinationV1().Leases("kube-system").Get(context.Background(), "kube-scheduler", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// stuck prepares until its term ends.
type stuck struct{ *actor }

func (s stuck) Prepare(ctx context.Context, _ *Fence) (Term, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAPreparationThatLastsTellsWhy(t *testing.T) {
	client := fake.NewClientset()
	var refused atomic.Bool
	client.PrependReactor("get", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		if refused.Load() {
			return true, nil, errors.New("dial tcp 127.0.0.1:6443: connection refused")
		}
		return false, nil, nil
	})
	var denied atomic.Bool
	hindered := func(context.Context) error {
		if denied.Load() {
			return errors.New("lacks the right to list nodes")
		}
		return nil
	}
	r, err := NewRunner(Config{LeaderElectionConfiguration: settings(), Client: client, Hindered: hindered}, stuck{newActor()})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan string)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- r.Run(ctx, func(_ supervisor.State, words string) {
			select {
			case told <- words:
			case <-ctx.Done():
			}
		})
	}()
	if got := <-told; got != "fills its caches" {
		t.Errorf("told %q", got)
	}
	denied.Store(true)
	<-told // which may be from before
	if got := <-told; got != "fills its caches; lacks the right to list nodes" {
		t.Errorf("told %q", got)
	}
	refused.Store(true)
	<-told // which may be from before
	if got := <-told; got != "fills its caches, and the apiserver cannot be asked: dial tcp 127.0.0.1:6443: connection refused" {
		t.Errorf("told %q", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestOrderlyStopReleasesTheLeaseAndTheStandbyLeads(t *testing.T) {
	client := fake.NewClientset()
	first, second := newActor(), newActor()
	stopFirst := begin(t, client, first)
	first.await(t, supervisor.Leading)
	stopSecond := begin(t, client, second)
	second.await(t, supervisor.Standby)
	if second.acting.Load() != 0 {
		t.Error("the standby acts")
	}
	if err := stopFirst(); err != nil {
		t.Fatal(err)
	}
	if first.acting.Load() != 0 || first.closed.Load() != 1 {
		t.Error("the first still acts or was not closed")
	}
	second.await(t, supervisor.Leading)
	if err := stopSecond(); err != nil {
		t.Fatal(err)
	}
	if holder := lease(t, client).Spec.HolderIdentity; holder != nil && *holder != "" {
		t.Errorf("still held by %s", *holder)
	}
}

func TestLostLeaseStopsTheTermAndStandsByAgain(t *testing.T) {
	client := fake.NewClientset()
	thief := "thief"
	// The fake client keeps no resource versions: refuse what they would refuse.
	var stolen atomic.Bool
	client.PrependReactor("update", "leases", func(action clienttesting.Action) (bool, runtime.Object, error) {
		update, ok := action.(clienttesting.UpdateAction)
		if !ok || !stolen.Load() || *update.GetObject().(*coordinationv1.Lease).Spec.HolderIdentity == thief {
			return false, nil, nil
		}
		return true, nil, apierrors.NewConflict(coordinationv1.Resource("leases"), "kube-scheduler", errors.New("changed"))
	})
	a := newActor()
	stop := begin(t, client, a)
	a.await(t, supervisor.Leading)
	l := lease(t, client)
	now := metav1.NowMicro()
	stolen.Store(true)
	l.Spec.HolderIdentity, l.Spec.RenewTime = &thief, &now
	if _, err := client.CoordinationV1().Leases("kube-system").Update(context.Background(), l, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	a.await(t, supervisor.Starting)
	a.await(t, supervisor.Standby)
	if a.acting.Load() != 0 {
		t.Error("it still acts")
	}
	if got := *lease(t, client).Spec.HolderIdentity; got != thief {
		t.Errorf("the lease was taken back from its holder by %q", got)
	}
	stolen.Store(false)
	a.await(t, supervisor.Leading) // once the thief's lease has expired
	if a.prepared.Load() != 2 || a.closed.Load() != 1 {
		t.Errorf("prepared %d terms and closed %d", a.prepared.Load(), a.closed.Load())
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestFailureOfTheComponentReleasesTheLeaseAndIsReturned(t *testing.T) {
	client := fake.NewClientset()
	a := newActor()
	r, err := NewRunner(Config{LeaderElectionConfiguration: settings(), Client: client}, a)
	if err != nil {
		t.Fatal(err)
	}
	a.fail <- errors.New("broken")
	if err := r.Run(context.Background(), a.report); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("got %v", err)
	}
	if holder := lease(t, client).Spec.HolderIdentity; holder != nil && *holder != "" {
		t.Errorf("still held by %s", *holder)
	}
}

// hanging is an actor that does not stop acting.
type hanging struct {
	*actor
	letGo chan struct{}
}

func (h hanging) Prepare(context.Context, *Fence) (Term, error) { return h, nil }

func (h hanging) Lead(_ context.Context, acting func()) error { acting(); <-h.letGo; return nil }

func TestATermThatHangsIsAbandoned(t *testing.T) {
	tests := map[string]struct {
		end  func(down *atomic.Bool, stop func())
		want string
	}{
		"after an orderly stop": {
			func(_ *atomic.Bool, stop func()) { stop() },
			"it did not stop within 10ms and was abandoned",
		},
		"after its lease was lost": {
			func(down *atomic.Bool, _ func()) { down.Store(true) },
			"the leader lease was lost; it did not stop within 10ms and was abandoned",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var down atomic.Bool
			client := fake.NewClientset()
			client.PrependReactor("update", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
				return down.Load(), nil, errors.New("connection refused")
			})
			h := hanging{actor: newActor(), letGo: make(chan struct{})}
			defer close(h.letGo)
			r, err := NewRunner(Config{LeaderElectionConfiguration: settings(), Client: client}, h)
			if err != nil {
				t.Fatal(err)
			}
			r.(*runner).stopTimeout = 10 * time.Millisecond
			ctx, stop := context.WithCancel(t.Context())
			result := make(chan error, 1)
			go func() { result <- r.Run(ctx, h.report) }()
			h.await(t, supervisor.Leading)
			test.end(&down, stop)
			if err := <-result; !errors.Is(err, supervisor.ErrAbandoned) || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if h.closed.Load() != 1 {
				t.Errorf("closed %d times", h.closed.Load())
			}
		})
	}
}

func TestAStandbyThatIsStoppedClosesItsTerm(t *testing.T) {
	client := fake.NewClientset()
	leader, standby := newActor(), newActor()
	stopLeader := begin(t, client, leader)
	leader.await(t, supervisor.Leading)
	stopStandby := begin(t, client, standby)
	standby.await(t, supervisor.Standby)
	holder := *lease(t, client).Spec.HolderIdentity
	if err := stopStandby(); err != nil {
		t.Fatal(err)
	}
	if standby.prepared.Load() != 1 || standby.closed.Load() != 1 || standby.acted.Load() {
		t.Errorf("prepared %d times, closed %d times, acted: %v", standby.prepared.Load(), standby.closed.Load(), standby.acted.Load())
	}
	if got := *lease(t, client).Spec.HolderIdentity; got != holder {
		t.Errorf("it took the lease of %s along: %q", holder, got)
	}
	if err := stopLeader(); err != nil {
		t.Fatal(err)
	}
}

func TestAStandbyDoesNotWaitItsTurnForAReleasedLease(t *testing.T) {
	client := fake.NewClientset()
	first, second := newActor(), newActor()
	stopFirst := begin(t, client, first)
	first.await(t, supervisor.Leading)
	patient := settings()
	patient.LeaseDuration.Duration, patient.RenewDeadline.Duration, patient.RetryPeriod.Duration = 3*time.Hour, 2*time.Hour, time.Hour
	stopSecond := beginWith(t, patient, client, second)
	second.await(t, supervisor.Standby)
	if err := stopFirst(); err != nil {
		t.Fatal(err)
	}
	second.await(t, supervisor.Leading)
	if err := stopSecond(); err != nil {
		t.Fatal(err)
	}
}

func TestATermEndsWithItsFence(t *testing.T) {
	a := newActor()
	stop := begin(t, fake.NewClientset(), a)
	a.await(t, supervisor.Leading)
	(<-a.fences).Close()
	a.await(t, supervisor.Starting)
	a.await(t, supervisor.Leading)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestATermEndsWithItsElector(t *testing.T) {
	var down atomic.Bool
	client := fake.NewClientset()
	client.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		return down.Load(), nil, errors.New("connection refused")
	})
	a := newActor()
	stop := begin(t, client, a)
	a.await(t, supervisor.Leading)
	down.Store(true)
	fence := <-a.fences
	fence.Renewed(time.Now().Add(time.Hour)) // as by a renewal that was slow to come back
	a.await(t, supervisor.Starting)
	if !fence.Closed() {
		t.Error("it may still write")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestToStopLeadingByItselfIsAFailure(t *testing.T) {
	a := newActor()
	r, err := NewRunner(Config{LeaderElectionConfiguration: settings(), Client: fake.NewClientset()}, a)
	if err != nil {
		t.Fatal(err)
	}
	a.fail <- nil
	if err := r.Run(t.Context(), a.report); err == nil || err.Error() != "it stopped leading by itself" {
		t.Errorf("got %v", err)
	}
}

func TestTheFenceShutsBeforeOthersMayTakeTheLease(t *testing.T) {
	for _, test := range []struct{ lease, renew, retry, want time.Duration }{
		{15 * time.Second, 10 * time.Second, 2 * time.Second, 12 * time.Second}, // the stock timings
		{60 * time.Second, 30 * time.Second, 10 * time.Second, 40 * time.Second},
		{12 * time.Second, 10 * time.Second, 8 * time.Second, 11 * time.Second},
	} {
		r := &runner{}
		r.LeaseDuration.Duration, r.RenewDeadline.Duration, r.RetryPeriod.Duration = test.lease, test.renew, test.retry
		if got := r.validity(); got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
}

// unprepared is a Candidate that cannot be prepared.
type unprepared struct{}

func (unprepared) Prepare(context.Context, *Fence) (Term, error) {
	return nil, errors.New("no kubeconfig")
}

func TestAFailedPreparationIsReturned(t *testing.T) {
	r, err := NewRunner(Config{LeaderElectionConfiguration: settings(), Client: fake.NewClientset()}, unprepared{})
	if err != nil {
		t.Fatal(err)
	}
	none := func(s supervisor.State, _ string) { t.Errorf("it reported %s", s) }
	for name, run := range map[string]func() error{
		"in an election": func() error { return r.Run(t.Context(), none) },
		"alone":          func() error { return RunAlone(t.Context(), unprepared{}, none) },
	} {
		if err := run(); err == nil || err.Error() != "preparing: no kubeconfig" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAloneItLeadsWithoutALease(t *testing.T) {
	a := newActor()
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- RunAlone(ctx, a, a.report) }()
	a.await(t, supervisor.Leading)
	fence := <-a.fences
	if !fence.Open() {
		t.Error("it may not write")
	}
	stop()
	if err := <-result; err != nil {
		t.Error(err)
	}
	if a.closed.Load() != 1 || fence.Open() {
		t.Errorf("closed %d times; may it still write? %v", a.closed.Load(), fence.Open())
	}
}

func TestUnusableTimingsAreAnError(t *testing.T) {
	c := settings()
	c.LeaseDuration = c.RenewDeadline
	r, err := NewRunner(Config{LeaderElectionConfiguration: c, Client: fake.NewClientset()}, newActor())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background(), func(supervisor.State, string) {}); err == nil {
		t.Error("accepted")
	}
}

func TestATermThatCannotActHasNeverLed(t *testing.T) {
	a := newActor()
	a.cannotStart = true
	stop := begin(t, fake.NewClientset(), a)
	if err := stopped(t, a, stop); err == nil || !strings.Contains(err.Error(), "cannot be built") {
		t.Errorf("got %v", err)
	}
	for len(a.states) > 0 {
		if state := <-a.states; state.Up() {
			t.Errorf("it was said to be %s", state)
		}
	}
}

// stopped waits until a's term has failed, and returns the result of its run.
func stopped(t *testing.T, a *actor, stop func() error) error {
	t.Helper()
	for begun := time.Now(); a.closed.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatal("the term never ended")
		}
	}
	return stop()
}

func TestValidate(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*componentbaseconfig.LeaderElectionConfiguration)
		says   string
	}{
		"sound":                             {func(*componentbaseconfig.LeaderElectionConfiguration) {}, ""},
		"a lease shorter than its renewals": {func(c *componentbaseconfig.LeaderElectionConfiguration) { c.LeaseDuration.Duration = time.Second }, "leaseDuration must be greater than renewDeadline"},
		"retries slower than the deadline":  {func(c *componentbaseconfig.LeaderElectionConfiguration) { c.RetryPeriod.Duration = time.Second }, "renewDeadline must be greater than"},
		"no retries":                        {func(c *componentbaseconfig.LeaderElectionConfiguration) { c.RetryPeriod.Duration = 0 }, "retryPeriod must be greater than zero"},
		"nothing to elect": {func(c *componentbaseconfig.LeaderElectionConfiguration) {
			c.LeaderElect, c.LeaseDuration.Duration = false, 0
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings()
			test.change(&s)
			err := Validate(s)
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

// heldBy is a cluster whose lease somebody has just renewed.
func heldBy(t *testing.T, holder string) kubernetes.Interface {
	t.Helper()
	client := fake.NewClientset()
	if _, err := client.CoordinationV1().Leases("kube-system").Create(t.Context(), &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-scheduler"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To(holder), LeaseDurationSeconds: ptr.To[int32](15),
			RenewTime: ptr.To(metav1.NowMicro()), AcquireTime: ptr.To(metav1.NowMicro()),
		},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return client
}

// filling takes a while to prepare.
type filling struct {
	*actor
	takes time.Duration
}

func (f filling) Prepare(ctx context.Context, fence *Fence) (Term, error) {
	time.Sleep(f.takes)
	return f.actor.Prepare(ctx, fence)
}

// TestHowLongAnothersLeaseIsWaitedFor has one that is renewed no more: it runs out 15 s
// after it was first seen, however long the preparation takes, and that of a process that
// has ended need not run out.
func TestHowLongAnothersLeaseIsWaitedFor(t *testing.T) {
	stock := componentbaseconfig.LeaderElectionConfiguration{
		LeaderElect: true, ResourceName: "kube-scheduler", ResourceNamespace: "kube-system",
		LeaseDuration: metav1.Duration{Duration: 15 * time.Second},
		RenewDeadline: metav1.Duration{Duration: 10 * time.Second},
		RetryPeriod:   metav1.Duration{Duration: 2 * time.Second},
	}
	const turn = 5 * time.Second // between two attempts of an elector, at most
	for name, test := range map[string]struct {
		holder   string
		prepares time.Duration
		min, max time.Duration
	}{
		"another's":                            {"a_OTHER-12345", 0, 15 * time.Second, 15*time.Second + turn},
		"another's, and a long preparation":    {"a_OTHER-12345", 10 * time.Second, 15 * time.Second, 15*time.Second + turn},
		"another's, and a longer preparation":  {"a_OTHER-12345", 40 * time.Second, 40 * time.Second, 40 * time.Second},
		"its predecessor's":                    {"a_BEFORE-12345", 0, 0, 0},
		"its predecessor's, while it prepares": {"a_BEFORE-12345", 10 * time.Second, 10 * time.Second, 10 * time.Second},
		"of a name like its predecessor's":     {"a_BEFORE2-12345", 0, 15 * time.Second, 15*time.Second + turn},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newActor()
				r, err := NewRunner(Config{
					LeaderElectionConfiguration: stock, Client: heldBy(t, test.holder),
					Process: Process{ID: "THIS", Predecessor: "BEFORE"},
				}, filling{a, test.prepares})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- r.Run(ctx, a.report) }()
				for state := range a.states {
					if state == supervisor.Leading {
						break
					}
				}
				if took := time.Since(began); took < test.min || took > test.max {
					t.Errorf("it leads after %s, not between %s and %s", took, test.min, test.max)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestProcessesAreTold(t *testing.T) {
	var none Process
	before, after := Process{ID: "ONE"}, Process{ID: "TWO", Predecessor: "ONE"}
	for name, test := range map[string]struct {
		p      Process
		holder string
		want   bool
	}{
		"the one before":               {after, before.identity("a"), true},
		"the one before, a host of _":  {after, before.identity("a_b"), true},
		"itself":                       {after, after.identity("a"), false},
		"a stock component":            {after, none.identity("a"), false},
		"where none is known":          {none, none.identity("a"), false},
		"where none is known, of ours": {before, after.identity("a"), false},
		"nobody":                       {after, "", false},
	} {
		if got := test.p.hasEnded(test.holder); got != test.want {
			t.Errorf("%s: %s has ended: %v", name, test.holder, got)
		}
	}
	if first, second := after.identity("a"), after.identity("a"); first == second {
		t.Errorf("two runs in a process have one identity, %s", first)
	}
}

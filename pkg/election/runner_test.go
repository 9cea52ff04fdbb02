// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	componentbaseconfig "k8s.io/component-base/config"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// actor is a Candidate and its own Term.
type actor struct {
	acting   atomic.Int32
	prepared atomic.Int32
	closed   atomic.Int32
	fail     chan error
	states   chan supervisor.State
}

func newActor() *actor {
	return &actor{fail: make(chan error, 1), states: make(chan supervisor.State, 100)}
}

func (a *actor) Prepare(context.Context, *Fence) (Term, error) {
	a.prepared.Add(1)
	return a, nil
}

func (a *actor) Lead(ctx context.Context) error {
	a.acting.Add(1)
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
	r, err := NewRunner(Config{LeaderElectionConfiguration: settings(), Client: client}, a)
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
	a := newActor()
	stop := begin(t, client, a)
	a.await(t, supervisor.Leading)
	l := lease(t, client)
	thief := "thief"
	now := metav1.NowMicro()
	// The fake client keeps no resource versions: refuse what they would refuse.
	var stolen atomic.Bool
	client.PrependReactor("update", "leases", func(action clienttesting.Action) (bool, runtime.Object, error) {
		update, ok := action.(clienttesting.UpdateAction)
		if !ok || !stolen.Load() || *update.GetObject().(*coordinationv1.Lease).Spec.HolderIdentity == thief {
			return false, nil, nil
		}
		return true, nil, apierrors.NewConflict(coordinationv1.Resource("leases"), "kube-scheduler", errors.New("changed"))
	})
	stolen.Store(true)
	l.Spec.HolderIdentity, l.Spec.RenewTime = &thief, &now
	if _, err := client.CoordinationV1().Leases("kube-system").Update(context.Background(), l, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	a.await(t, supervisor.Starting)
	if a.acting.Load() != 0 {
		t.Error("it still acts")
	}
	a.await(t, supervisor.Standby)
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

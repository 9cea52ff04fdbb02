// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// slow is a Candidate whose terms take a while to stop.
type slow struct{ acts chan *Fence }

func (s slow) Prepare(_ context.Context, f *Fence) (Term, error) { s.acts <- f; return s, nil }
func (slow) Lead(ctx context.Context, acting func()) error {
	acting()
	<-ctx.Done()
	time.Sleep(10 * time.Second)
	return nil
}
func (slow) Close() {}

func TestWhoMayNotWriteIsNotSaidToLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		client := fake.NewClientset()
		client.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			return down.Load(), nil, errors.New("connection refused")
		})
		s := slow{acts: make(chan *Fence, 10)}
		r, err := NewRunner(Config{LeaderElectionConfiguration: settings(), Client: client}, s)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var said []string
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- r.Run(ctx, func(state supervisor.State, words string) {
				mu.Lock()
				defer mu.Unlock()
				said = append(said, string(state)+" "+words)
			})
		}()
		says := func(want string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(said) == 0 || said[len(said)-1] != want {
				t.Errorf("it says %q, want %q at last", said, want)
			}
		}
		time.Sleep(time.Second)
		says("leading ")
		down.Store(true)
		fence := <-s.acts
		time.Sleep(r.(*runner).validity()) // since a renewal that was a moment ago
		if synctest.Wait(); fence.Open() {
			t.Error("it may still write")
		}
		says("starting " + lostAndStopping)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		mu.Lock()
		if !slices.Contains(said, "starting "+errLeaseLost.Error()) {
			t.Errorf("it has said %q", said)
		}
		said = nil
		mu.Unlock()
		down.Store(false)
		time.Sleep(3 * time.Second)
		says("leading ")

		// An orderly stop is no loss.
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		says("leading ")
	})
}

func TestATermThatBeginsTooLateHasNotLed(t *testing.T) {
	fence := NewFence(time.Minute)
	fence.Close()
	s := &standing{fence: fence, report: func(state supervisor.State, _ string) { t.Errorf("it says %s", state) }}
	s.acting()
}

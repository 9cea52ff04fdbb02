// SPDX-License-Identifier: Apache-2.0

package etcdbalancer

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeMember answers after a while, or not before its context ends.
type fakeMember struct {
	takes  atomic.Int64 // a time.Duration
	refuse atomic.Bool
	asked  atomic.Int64
}

func (f *fakeMember) Probe(ctx context.Context) error {
	f.asked.Add(1)
	if f.refuse.Load() {
		return errors.New("refused")
	}
	// What is asked of a frozen one it answers when it goes on.
	for begun := time.Now(); time.Since(begun) < time.Duration(f.takes.Load()); {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (*fakeMember) Close() {}

func (f *fakeMember) freeze() { f.takes.Store(int64(time.Hour)) }

func (f *fakeMember) thaw() { f.takes.Store(int64(time.Millisecond)) }

// watched are three members that are watched for as long as the test lasts.
func watched(t *testing.T) ([]*fakeMember, []*member) {
	t.Helper()
	c := &cluster{}
	var fakes []*fakeMember
	for _, name := range []string{"a", "b", "c"} {
		f := &fakeMember{}
		f.thaw()
		fakes = append(fakes, f)
		c.members = append(c.members, newMember(c, "https://"+name+":2379", name+":2379", f))
	}
	for _, m := range c.members {
		go m.watch(t.Context())
	}
	return fakes, c.members
}

func leftOut(members []*member) (n int) {
	for _, m := range members {
		if m.left.Load() {
			n++
		}
	}
	return n
}

// after waits in the test's own time, and for what happens at its end.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAFrozenMemberIsLeftOutUntilItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes, members := watched(t)
		after(time.Minute)
		if leftOut(members) != 0 {
			t.Fatal("one that answers is left out")
		}
		end, far := net.Pipe()
		defer far.Close()
		c := members[0].conns.add(end)
		fakes[0].freeze()
		after(every + every/5 + patience + 10*time.Millisecond)
		if !members[0].late.Load() || leftOut(members) != 0 {
			t.Fatalf("%d are left out, and the frozen one is late: %t", leftOut(members), members[0].late.Load())
		}
		after(leaveAfter - patience + every + every/5)
		if !members[0].left.Load() || leftOut(members) != 1 {
			t.Fatalf("%d are left out, and the frozen one is: %t", leftOut(members), members[0].left.Load())
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("its connections are still open")
		}
		after(time.Minute)
		fakes[0].thaw()
		after(probeTimeout + atMost + atMost/5) // a probe that hangs, and the longest wait
		if members[0].steady.IsZero() {
			t.Fatal("it is not asked any more")
		}
		after(settled + every + every/5)
		if leftOut(members) != 0 {
			t.Error("it answers, and is left out")
		}
	})
}

func TestNobodyIsLeftOutWhereNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes, members := watched(t)
		after(time.Minute)
		for _, f := range fakes {
			f.freeze() // as in an election
		}
		for range 600 {
			after(100 * time.Millisecond)
			if leftOut(members) != 0 {
				t.Fatal("one is left out, and no other answers")
			}
		}
		// Two of them have elected a leader, and do not hear of it at once.
		fakes[1].thaw()
		after(100 * time.Millisecond)
		fakes[2].thaw()
		for range 100 {
			after(100 * time.Millisecond)
			if members[1].left.Load() || members[2].left.Load() {
				t.Fatal("one is left out that has come back with the quorum")
			}
		}
		if !members[0].left.Load() || leftOut(members) != 1 {
			t.Errorf("%d are left out", leftOut(members))
		}
		// The others do not answer any more, and it does.
		fakes[1].refuse.Store(true)
		fakes[2].refuse.Store(true)
		after(10 * time.Second)
		fakes[0].thaw()
		after(probeTimeout + atMost + atMost/5 + every)
		if members[0].left.Load() {
			t.Error("the only one that answers is left out")
		}
	})
}

func TestALateAnswerLeavesNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes, members := watched(t)
		for range 100 {
			fakes[0].takes.Store(int64(leaveAfter - 600*time.Millisecond))
			after(time.Second)
			if leftOut(members) != 0 {
				t.Fatal("it is left out")
			}
		}
		fakes[0].thaw()
		after(leaveAfter)
		if members[0].late.Load() {
			t.Error("it answers, and others are asked in its place")
		}
	})
}

func TestWithoutAnAnswerItIsAskedLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes, _ := watched(t)
		for _, f := range fakes {
			f.refuse.Store(true)
		}
		after(time.Minute)
		before := fakes[0].asked.Load()
		after(time.Minute)
		if n := fakes[0].asked.Load() - before; n > 16 || n < 9 {
			t.Errorf("it is asked %d times in a minute", n)
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package healthz

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/klog/v2/textlogger"
)

// fakeBackend answers after a while, or never, and counts.
type fakeBackend struct {
	mu       sync.Mutex
	verdict  Verdict
	takes    time.Duration
	asked    []time.Time
	inFlight int
	most     int
	script   []reaction // what the first questions get, in the place of verdict and takes
}

// reaction is how one question is answered.
type reaction struct {
	verdict Verdict
	takes   time.Duration
}

func (b *fakeBackend) Ask(ctx context.Context, _ string) (Verdict, error) {
	b.mu.Lock()
	b.asked = append(b.asked, time.Now())
	b.inFlight++
	b.most = max(b.most, b.inFlight)
	takes, verdict := b.takes, b.verdict
	if n := len(b.asked) - 1; n < len(b.script) {
		takes, verdict = b.script[n].takes, b.script[n].verdict
	}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.inFlight--
	}()
	select {
	case <-time.After(takes):
		return verdict, nil
	case <-ctx.Done():
		return Hung, ctx.Err()
	}
}

func TestVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		backend *fakeBackend
		want    Verdict
	}{
		"at once": {&fakeBackend{verdict: OK}, OK},
		"in time": {&fakeBackend{verdict: OK, takes: 1900 * time.Millisecond}, OK},
		"slow":    {&fakeBackend{verdict: OK, takes: 2100 * time.Millisecond}, Slow},
		"never":   {&fakeBackend{verdict: OK, takes: time.Hour}, Hung},
		// The apiserver gives its check of etcd 2 s.
		"etcd, late": {&fakeBackend{verdict: Etcd, takes: 2100 * time.Millisecond}, Etcd},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				if got := NewProber(test.backend, 0).Ask("/healthz"); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				if took := time.Since(begun); took >= 3*time.Second {
					t.Errorf("it took %s", took)
				}
				time.Sleep(probeTimeout) // what is in flight ends by itself
			})
		})
	}
}

// TestAnOKStandsForTheGrace has the apiserver hang after an OK, answer late, and say no.
func TestAnOKStandsForTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &fakeBackend{verdict: OK}
		p := NewProber(b, 10*time.Second)
		wants := func(when string, want Verdict) {
			t.Helper()
			begun := time.Now()
			if got := p.Ask("/healthz"); got != want || time.Since(begun) >= 3*time.Second {
				t.Errorf("%s: %s after %s, want %s", when, got, time.Since(begun), want)
			}
		}
		takes := func(d time.Duration, v Verdict) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.takes, b.verdict = d, v
		}
		wants("at first", OK)
		takes(time.Hour, OK)
		time.Sleep(2 * time.Second)
		wants("late", OK)
		time.Sleep(3 * time.Second)
		wants("very late", Hung) // it begins within the grace and ends after it
		takes(8*time.Second, OK)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		wants("after a hanging one", Hung)
		time.Sleep(8 * time.Second)
		wants("of one that is slow", OK)
		takes(0, Etcd)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		wants("a no is told at once", Etcd)
		time.Sleep(3 * time.Second) // for the question that was put last
	})
}

func TestHoweverManyAskFewQuestionsArePut(t *testing.T) {
	for name, b := range map[string]*fakeBackend{
		"quick": {verdict: OK, takes: time.Millisecond},
		"hung":  {takes: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewProber(b, 0)
				end := time.Now().Add(20 * time.Second)
				var wg sync.WaitGroup
				for _, path := range []string{"/healthz", "/livez", "/readyz"} {
					for range 100 {
						wg.Go(func() {
							for time.Now().Before(end) {
								asked := time.Now()
								p.Ask(path)
								if took := time.Since(asked); took >= 3*time.Second {
									t.Errorf("an answer took %s", took)
								}
								time.Sleep(10 * time.Millisecond)
							}
						})
					}
				}
				wg.Wait()
				time.Sleep(10 * time.Second) // what is in flight ends by itself
				synctest.Wait()
				if most := int(probeTimeout/pace) + 1; b.most > most {
					t.Errorf("%d questions were under way at once, want at most %d", b.most, most)
				}
				for i := 2; i < len(b.asked); i++ {
					if d := b.asked[i].Sub(b.asked[i-2]); d < time.Second {
						t.Fatalf("three questions within %s", d)
					}
				}
				if len(b.asked) == 0 {
					t.Error("nothing was asked")
				}
			})
		})
	}
}

func TestOnlyChangesAreLogged(t *testing.T) {
	var out bytes.Buffer
	synctest.Test(t, func(*testing.T) {
		p := NewProber(nil, 0)
		p.log = textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&out)))
		for _, verdict := range []Verdict{OK, OK, Etcd, Etcd, Unreachable, OK, OK} {
			p.backend = &fakeBackend{verdict: verdict}
			p.Ask("/healthz")
			time.Sleep(probeTimeout) // what is in flight ends by itself
		}
	})
	var said []string
	for line := range strings.Lines(out.String()) {
		_, text, _ := strings.Cut(line, "] ")
		said = append(said, text)
	}
	want := []string{
		"\"Health checks pass\" path=\"/healthz\"\n",
		"\"Health checks fail\" path=\"/healthz\" reason=\"etcd\" took=\"2.7s\"\n",
		"\"Health checks fail\" path=\"/healthz\" reason=\"unreachable\" took=\"0s\"\n",
		"\"Health checks pass\" path=\"/healthz\"\n",
	}
	if !slices.Equal(said, want) {
		t.Errorf("it logs %q, want %q", said, want)
	}
}

func TestAnAnswerIsSharedForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &fakeBackend{verdict: OK}
		p := NewProber(b, 0)
		p.Ask("/healthz")
		b.verdict = Unhealthy
		time.Sleep(900 * time.Millisecond)
		if got := p.Ask("/healthz"); got != OK || len(b.asked) != 1 {
			t.Errorf("after 0.9 s: %s, asked %d times", got, len(b.asked))
		}
		time.Sleep(200 * time.Millisecond)
		if got := p.Ask("/healthz"); got != Unhealthy || len(b.asked) == 1 {
			t.Errorf("after 1.1 s: %s, asked %d times", got, len(b.asked))
		}
		time.Sleep(probeTimeout) // what is in flight ends by itself
	})
}

func TestAnswersDoNotFlap(t *testing.T) {
	yes := reaction{OK, time.Millisecond}
	for name, test := range map[string]struct {
		script []reaction // after which everything is as the last of them
		want   []Verdict
		within time.Duration // of the last one
	}{
		"one question is lost":        {[]reaction{yes, {OK, time.Hour}, yes}, []Verdict{OK, OK}, 1100 * time.Millisecond},
		"one question is slow":        {[]reaction{yes, {OK, 2400 * time.Millisecond}, yes}, []Verdict{OK, OK}, 1100 * time.Millisecond},
		"one check of etcd is late":   {[]reaction{yes, {Etcd, 2 * time.Second}, {Etcd, time.Millisecond}, yes}, []Verdict{OK, OK}, 2100 * time.Millisecond},
		"one check fails once":        {[]reaction{yes, {Unhealthy, time.Millisecond}, yes}, []Verdict{OK, OK}, 600 * time.Millisecond},
		"it hangs":                    {[]reaction{yes, {OK, time.Hour}}, []Verdict{OK, Hung, Hung}, 3 * time.Second},
		"it is slow all the time":     {[]reaction{yes, {OK, 2100 * time.Millisecond}}, []Verdict{OK, Slow}, 3 * time.Second},
		"etcd is away":                {[]reaction{yes, {Etcd, 2 * time.Second}}, []Verdict{OK, Etcd, Etcd}, 3 * time.Second},
		"nobody listens":              {[]reaction{yes, {Unreachable, time.Millisecond}}, []Verdict{OK, Unreachable}, 100 * time.Millisecond},
		"it comes back":               {[]reaction{{Etcd, time.Millisecond}, yes}, []Verdict{Etcd, OK}, 600 * time.Millisecond},
		"it is back for one question": {[]reaction{{Etcd, time.Millisecond}, yes, {Etcd, time.Millisecond}}, []Verdict{Etcd, Etcd}, 600 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				last := test.script[len(test.script)-1]
				p := NewProber(&fakeBackend{script: test.script, verdict: last.verdict, takes: last.takes}, 0)
				for i, want := range test.want {
					begun := time.Now()
					got, took := p.Ask("/healthz"), time.Since(begun)
					if got != want {
						t.Errorf("answer %d is %s, want %s", i, got, want)
					}
					if i == len(test.want)-1 && took > test.within {
						t.Errorf("the last answer takes %s, want %s at most", took, test.within)
					}
					time.Sleep(3 * time.Second)
				}
			})
		})
	}
}

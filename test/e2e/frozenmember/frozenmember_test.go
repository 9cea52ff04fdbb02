// SPDX-License-Identifier: Apache-2.0

// Package frozenmember pauses members of an external etcd, of which the kernel takes
// connections all the same: the apiserver asks those that answer, and health checks
// do not flap.
package frozenmember

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

const (
	// frozen is how long a member is paused. It is what is measured, not waited for.
	frozen = 10 * time.Second
	// without is the longest that nothing may succeed: an election, which takes etcd
	// up to 2 s, and the time to notice. The machine of a test may be busy with others.
	without = 6 * time.Second
	// most lines of the log are what such an outage may take.
	most = 40
)

func TestAMemberIsFrozen(t *testing.T) {
	// It judges seconds, for which a machine has to be quiet.
	if os.Getenv("FAULTS") != "all" {
		t.Skip("make e2e-faults runs it")
	}
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	etcd := e.StartEtcd(c.Lab(""), 3)
	c.EtcdServers = etcd.URLs()
	c.StartReady()
	c.AwaitStatus("kube-controller-manager leading, kube-scheduler leading")
	for _, who := range []string{"leader", "follower"} {
		member := find(etcd, who == "leader")
		logged := len(c.Process.Lines())
		traffic := start(c)
		e.Must(etcd.Processes[member].Signal(syscall.SIGSTOP))
		over := time.After(frozen)
		awaitLine(c, logged, "A member of etcd does not answer", etcd.URLs()[member])
		<-over
		traffic.stop()
		e.Must(etcd.Processes[member].Signal(syscall.SIGCONT))
		awaitLine(c, logged, "The member of etcd answers again", etcd.URLs()[member])
		c.AwaitStatus("ready: kube-apiserver running, kube-controller-manager leading, kube-scheduler leading")
		lines := len(c.Process.Lines()) - logged
		t.Logf("with a frozen %s: at most %s without a write and %s without a read; health checks say %s; %d lines of the log",
			who, traffic.writes.longest, traffic.reads.longest, traffic.health(), lines)
		if longest := max(traffic.writes.longest, traffic.reads.longest); longest > without {
			t.Errorf("with a frozen %s, nothing succeeds for %s, want %s at most", who, longest, without)
		}
		if len(traffic.answers) > 3 { // yes, and at worst no and yes
			t.Errorf("with a frozen %s, health checks flap: %s", who, traffic.health())
		}
		if lines > most {
			t.Errorf("with a frozen %s, it logs %d lines, want %d at most:\n%s", who, lines, most, c.Process.Tail(lines))
		}
	}
	c.StopInOrder()
}

// find returns the member that leads, or one that does not.
func find(etcd *harness.Etcd, leads bool) (member int) {
	etcd.Helper()
	client := etcd.Client()
	etcd.Eventually("the members to tell who leads", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		for i, url := range etcd.URLs() {
			s, err := client.Status(ctx, url)
			if err != nil {
				return err
			}
			if s.Leader != 0 && (s.Leader == s.Header.MemberId) == leads {
				member = i
				return nil
			}
		}
		return errors.New("nobody leads")
	})
	return member
}

// awaitLine waits for a line after those that were logged before.
func awaitLine(c *harness.Controller, before int, words ...string) {
	c.Helper()
	c.Eventually(fmt.Sprintf("the log to say %q", words), func(context.Context) error {
		for _, l := range c.Process.Lines()[before:] {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(l, w) }) {
				return nil
			}
		}
		return errors.New("it does not")
	})
}

// traffic is what a controller is asked all the time, one after the other of each
// kind.
type traffic struct {
	writes, reads successes
	answers       []answer // of the health port, the same ones in a row as one
	stop          func()
}

// successes are requests that succeed.
type successes struct {
	last    time.Time
	longest time.Duration // between two of them, or before the end
}

func (s *successes) mark() {
	now := time.Now()
	s.longest, s.last = max(s.longest, now.Sub(s.last)), now
}

// answer is one answer of the health port, so many times.
type answer struct {
	text  string
	times int
}

// Times of those who ask.
const (
	pause   = 50 * time.Millisecond
	timeout = 2 * time.Second // of one request; whoever asks tries again
)

// start starts the traffic, and returns when each kind of it has succeeded.
func start(c *harness.Controller) *traffic {
	c.Helper()
	ctx, cancel := context.WithCancel(c.Context())
	maps := c.Client().CoreV1().ConfigMaps(metav1.NamespaceDefault)
	t := &traffic{}
	var wg, begun sync.WaitGroup
	for _, kind := range []struct {
		s   *successes
		ask func(context.Context) error
	}{
		{&t.writes, func(ctx context.Context) error {
			_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "write-"}}, metav1.CreateOptions{})
			return err
		}},
		{&t.reads, func(ctx context.Context) error {
			_, err := maps.List(ctx, metav1.ListOptions{Limit: 1}) // a page is read from etcd
			return err
		}},
	} {
		begun.Add(1)
		wg.Go(func() {
			first := sync.OnceFunc(begun.Done)
			defer first()
			for every(ctx) {
				asking, cancel := context.WithTimeout(ctx, timeout)
				err := kind.ask(asking)
				cancel()
				if err != nil {
					continue
				}
				if kind.s.last.IsZero() {
					kind.s.last = time.Now()
				}
				kind.s.mark()
				first()
			}
		})
	}
	wg.Go(func() {
		for every(ctx) {
			text := askHealth(ctx, c)
			if ctx.Err() != nil {
				return
			}
			if n := len(t.answers); n > 0 && t.answers[n-1].text == text {
				t.answers[n-1].times++
			} else {
				t.answers = append(t.answers, answer{text, 1})
			}
		}
	})
	begun.Wait()
	t.stop = func() {
		cancel()
		wg.Wait()
		t.writes.mark()
		t.reads.mark()
	}
	c.Cleanup(func() { cancel(); wg.Wait() })
	return t
}

// every waits for the next turn, and reports whether there is one.
func every(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

func askHealth(ctx context.Context, c *harness.Controller) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/healthz", c.Ports.Health), http.NoBody)
	if err != nil {
		return err.Error()
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

func (t *traffic) health() string {
	var all []string
	for _, a := range t.answers {
		all = append(all, fmt.Sprintf("%s (%d times)", a.text, a.times))
	}
	return strings.Join(all, ", ")
}

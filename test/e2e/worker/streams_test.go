// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// counts prints a number five times a second, for ever.
const counts = `i=0; while :; do echo $i; i=$((i+1)); sleep 0.2; done`

// stream is a kubectl that stays connected to a pod through an apiserver.
type stream struct {
	*site
	kind    string
	process *process.Process
	// next is how to see that it goes on: it returns when something came that had not
	// been there when it was asked.
	next func()
}

// The pods that they are connected to.
const (
	countingPod = "counts"
	servingPod  = "serves"
)

// follow has the log of the pod that counts.
func (s *site) follow(name, server string) *stream {
	s.Helper()
	return s.counting("logs", s.startKubectl(name, "--server", server, "logs", "--follow", "--tail", "1", countingPod))
}

// execute counts in a pod.
func (s *site) execute(name, server string) *stream {
	s.Helper()
	return s.counting("exec", s.startKubectl(name, "--server", server, "exec", countingPod, "--", "sh", "-c", counts))
}

func (s *site) counting(kind string, p *process.Process) *stream {
	st := &stream{site: s, kind: kind, process: p}
	st.next = func() {
		st.Helper()
		had := len(p.Lines())
		st.WithinAlive(p, harness.Patience, "more of "+p.Log, func(context.Context) error {
			if len(p.Lines()) <= had+1 {
				return errors.New(p.Tail(1))
			}
			return nil
		})
	}
	return st
}

// forward has the port of the pod that serves.
func (s *site) forward(name, server string, port int) *stream {
	s.Helper()
	p := s.startKubectl(name, "--server", server, "port-forward", servingPod, fmt.Sprintf("%d:80", port))
	st := &stream{site: s, kind: "port-forward", process: p}
	st.next = func() {
		st.Helper()
		st.WithinAlive(p, harness.Patience, "the port of "+name, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			_, err := s.get(ctx, fmt.Sprintf("http://127.0.0.1:%d/hostname", port))
			return err
		})
	}
	return st
}

// open opens so many of each kind through a server, and waits until they bring something.
// The balancer gives every connection to the next controller.
func (s *site) open(round, server string, n, firstPort int) []*stream {
	s.Helper()
	var all []*stream
	for i := range n {
		name := fmt.Sprintf("%s-%d", round, i)
		all = append(all, s.follow("logs-"+name, server), s.execute("exec-"+name, server), s.forward("port-forward-"+name, server, firstPort+i))
	}
	for _, st := range all {
		st.next()
	}
	return all
}

// judge wants a stream that was cut to say so, and what it had brought to be whole.
func (st *stream) judge() {
	st.Helper()
	lines := st.process.Lines()
	if st.kind != "port-forward" {
		st.gapless(lines)
	}
	if st.process.Running() {
		st.Logf("%s %d goes on", st.kind, st.process.PID())
		st.next()
		return
	}
	code, last := st.process.ExitCode(), st.process.Tail(1)
	st.Logf("%s %d was cut: exit code %d, %q", st.kind, st.process.PID(), code, last)
	if code == 0 {
		st.Errorf("%s ends as if all were well; its last line: %s", st.kind, last)
	}
	if _, err := strconv.Atoi(last); err == nil || last == "" {
		st.Errorf("%s ends without a reason; its last line: %q", st.kind, last)
	}
}

// gapless wants numbers that follow each other.
func (st *stream) gapless(lines []string) {
	st.Helper()
	last := -1
	for i, l := range lines {
		n, err := strconv.Atoi(strings.TrimSpace(l))
		if err != nil {
			continue // what kubectl says
		}
		if last >= 0 && n != last+1 {
			st.Errorf("%s brings %d after %d (line %d)", st.kind, n, last, i)
		}
		last = n
	}
	if last < 0 {
		st.Errorf("%s brings nothing: %q", st.kind, slices.Compact(lines))
	}
}

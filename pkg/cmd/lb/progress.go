// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/lb"
)

const (
	// silence is how long nothing is said where there is no terminal.
	silence = 4 * time.Second
	// redraw is how often the last line of a terminal is drawn anew.
	redraw = time.Second
)

// progress shows what is being done: on a terminal with a last line that is
// drawn anew, elsewhere with one line for each thing that has happened and, on
// the error output, one whenever nothing has for a while. It is an io.Writer for
// what is printed beside that, and safe for use by several goroutines.
type progress struct {
	mu sync.Mutex
	// out is for what has happened, or nil.
	out io.Writer
	// line is where the last line is drawn, or nil without a terminal.
	line  io.Writer
	notes io.Writer
	drawn bool
	said  map[string]string

	// step is what is being done, call what is asked of the cloud for it, and since
	// when. Both are empty while there is nothing to wait for.
	step, call string
	since      time.Time
	spoken     time.Time
	stop       chan struct{}
	stopped    sync.WaitGroup
}

// newProgress shows on out, or what has happened nowhere if quiet.
func newProgress(out, notes io.Writer, quiet bool) *progress {
	p := &progress{out: out, notes: notes, said: map[string]string{}, spoken: time.Now(), stop: make(chan struct{})}
	if quiet {
		p.out = nil
	}
	for _, w := range []io.Writer{p.out, notes} {
		if p.line == nil && w != nil && cli.IsTerminal(w) {
			p.line = w
		}
	}
	return p
}

// start has it say from time to time what is waited for.
func (p *progress) start() { p.stopped.Go(p.beat) }

// close ends it.
func (p *progress) close() {
	close(p.stop)
	p.stopped.Wait()
	p.pause()
}

func (p *progress) beat() {
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			p.remind(now)
		}
	}
}

func (p *progress) remind(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what := strings.Join(nonEmpty(p.step, p.call), ": ")
	if what == "" {
		return
	}
	text := fmt.Sprintf("... %s, %d s", what, int(now.Sub(p.since).Seconds()))
	if p.line != nil {
		p.draw(text)
	} else if now.Sub(p.spoken) >= silence-redraw/2 {
		p.spoken = now
		fmt.Fprintln(p.notes, text)
	}
}

func nonEmpty(all ...string) []string {
	var some []string
	for _, s := range all {
		if s != "" {
			some = append(some, s)
		}
	}
	return some
}

// doing is for lb.Options.
func (p *progress) doing(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, _, _ := strings.Cut(p.call, ",")
	if now, _, _ := strings.Cut(call, ","); p.step == "" && now != before {
		p.since = time.Now()
	}
	p.call = call
}

// begin says what is done from now on.
func (p *progress) begin(step string) {
	if p.step != step {
		p.since = time.Now()
	}
	p.step, p.call = step, ""
	if p.line != nil && step != "" {
		p.draw("... " + step)
	}
}

// pause is for the time of a question: nothing is waited for but the answer.
func (p *progress) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin("")
	p.wipe()
}

// pasts is how a done Action is told.
var pasts = map[lb.Action]string{lb.Create: "created", lb.Update: "changed", lb.Delete: "deleted"}

// onStep is for lb.Plan.Apply. A failure is told by the error of Apply.
func (p *progress) onStep(s lb.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch s.Outcome {
	case lb.Doing:
		p.begin(fmt.Sprintf("%s %s", s.Action, s))
	case lb.Done:
		p.tell(fmt.Sprintf("%s %s", pasts[s.Action], s))
		p.begin("")
	case lb.Failed:
		p.begin("")
		p.wipe()
	}
}

// onHealth is for lb.Wait.
func (p *progress) onHealth(all []lb.InstanceHealth) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var late []string
	for _, h := range all {
		said := h.String()
		if p.said[h.Name] != said {
			p.tell(said)
		}
		p.said[h.Name] = said
		if h.Ours && !h.InService {
			late = append(late, h.Name)
		}
	}
	if len(late) > 0 {
		p.begin("waiting for " + strings.Join(late, ", "))
	} else {
		p.begin("")
	}
}

// Write prints above the last line.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	p.spoken = time.Now()
	if p.out == nil {
		return len(text), nil
	}
	return p.out.Write(text)
}

// tell says something for good.
func (p *progress) tell(s string) {
	p.wipe()
	if p.out != nil {
		p.spoken = time.Now()
		fmt.Fprintln(p.out, s)
	}
}

// draw says something that is replaced by whatever follows.
func (p *progress) draw(s string) {
	if f, ok := p.line.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && len(s) >= width && width > 0 {
			s = s[:width-1]
		}
	}
	fmt.Fprintf(p.line, "\r\x1b[K%s", s)
	p.drawn = true
}

// wipe removes what was drawn.
func (p *progress) wipe() {
	if p.drawn {
		fmt.Fprint(p.line, "\r\x1b[K")
	}
	p.drawn = false
}

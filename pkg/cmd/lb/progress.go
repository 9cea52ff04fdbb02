// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/lb"
)

// progress shows what is being done: on a terminal with a last line that is
// drawn anew, elsewhere with one line for each thing that has happened.
type progress struct {
	w        io.Writer
	terminal bool
	drawn    bool
	said     map[string]string
}

// newProgress shows on w, or nowhere if that is nil.
func newProgress(w io.Writer) *progress {
	return &progress{w: w, terminal: cli.IsTerminal(w), said: map[string]string{}}
}

// pasts is how a done Action is told.
var pasts = map[lb.Action]string{lb.Create: "created", lb.Update: "changed", lb.Delete: "deleted"}

// step is for lb.Plan.Apply. A failure is told by the error of Apply.
func (p *progress) step(s lb.Step) {
	switch s.Outcome {
	case lb.Doing:
		p.draw(fmt.Sprintf("... %s %s", s.Action, s))
	case lb.Done:
		p.line(fmt.Sprintf("%s %s", pasts[s.Action], s))
	case lb.Failed:
		p.end()
	}
}

// health is for lb.Wait.
func (p *progress) health(all []lb.InstanceHealth) {
	var late []string
	for _, h := range all {
		said := h.String()
		if p.said[h.Name] != said {
			p.line(said)
		}
		p.said[h.Name] = said
		if h.Ours && !h.InService {
			late = append(late, h.Name)
		}
	}
	if len(late) > 0 {
		p.draw("... waiting for " + strings.Join(late, ", "))
	}
}

// line says something for good.
func (p *progress) line(s string) {
	if p.w == nil {
		return
	}
	p.end()
	fmt.Fprintln(p.w, s)
}

// draw says something that is replaced by whatever follows.
func (p *progress) draw(s string) {
	if !p.terminal {
		return
	}
	if f, ok := p.w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && len(s) >= width && width > 0 {
			s = s[:width-1]
		}
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", s)
	p.drawn = true
}

// end wipes what was drawn.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.drawn = false
}

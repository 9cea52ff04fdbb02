// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	logsapi "k8s.io/component-base/logs/api/v1"
)

const (
	// period is how long lines of one kind are counted after the first was written.
	period = time.Minute
	// kinds bounds how many kinds of lines from one line of code are told apart in a
	// period; further ones are counted together.
	kinds = 10
	// sites bounds how many lines of code are counted at a time.
	sites = 1000
)

// output writes lines, and of warnings and errors of one kind the first, and at the
// end of each period the last with the number of the others. It keeps nothing, and
// has no timer, while there is nothing to count.
type output struct {
	mu    sync.Mutex
	w     io.Writer
	sites map[string]*site
	// outages is how many are under way; see Outage.
	outages int
	// vmodule are the source files whose lines --vmodule asks for.
	vmodule logsapi.VModuleConfiguration
}

func newOutput(w io.Writer, vmodule logsapi.VModuleConfiguration) *output {
	return &output{w: w, sites: map[string]*site{}, vmodule: vmodule}
}

// site are the lines from one line of code in the current period.
type site struct {
	kinds  map[string]*held
	others *held // of the kinds beyond the bound
	begun  time.Time
	end    *time.Timer
}

// held is the last of the lines that were not written, and how many there were.
type held struct {
	last []byte
	n    int
	more func([]byte, int, time.Duration) []byte
}

func (h *held) add(data []byte) {
	h.last, h.n = append(h.last[:0], data...), h.n+1
}

// write writes a line, or counts it.
func (o *output) write(l line, data []byte, more func([]byte, int, time.Duration) []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.severity == warning || l.severity == errorLine {
		if !everything() && (l.isRoutine() || o.counted(l, data, more)) {
			return nil
		}
	}
	_, err := o.w.Write(data)
	return err
}

// counted reports whether a line of this kind was written lately, and counts it.
func (o *output) counted(l line, data []byte, more func([]byte, int, time.Duration) []byte) bool {
	name, kind := l.site, l.kind()
	if o.outages > 0 && l.isOf(inOutage) {
		name, kind = outageSite, ""
	}
	s, ok := o.sites[name]
	if !ok {
		if len(o.sites) >= sites {
			return false
		}
		s = &site{kinds: map[string]*held{}, others: &held{more: more}, begun: time.Now()}
		s.end = time.AfterFunc(period, func() { o.endOfPeriod(name) })
		o.sites[name] = s
	}
	switch h, ok := s.kinds[kind]; {
	case ok:
		h.add(data)
	case len(s.kinds) >= kinds:
		s.others.add(data)
	default:
		s.kinds[kind] = &held{more: more}
		return false
	}
	return true
}

// endOfPeriod tells what was counted at a site. What came again is counted for
// another period; what did not is forgotten.
func (o *output) endOfPeriod(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.sites[name]
	if s == nil {
		return
	}
	for kind, h := range s.kinds {
		if !o.tell(h, period) {
			delete(s.kinds, kind)
		}
	}
	if others := o.tell(s.others, period); len(s.kinds) == 0 && !others {
		delete(o.sites, name)
		return
	}
	s.begun = time.Now()
	s.end.Reset(period)
}

// tell writes what was held back in so long, if anything was.
func (o *output) tell(h *held, in time.Duration) bool {
	if h.n == 0 {
		return false
	}
	data := h.last
	if h.n > 1 {
		data = h.more(data, h.n-1, in)
	}
	_, _ = o.w.Write(data)
	h.last, h.n = nil, 0
	return true
}

// flush tells everything that was held back.
func (o *output) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name := range o.sites {
		o.finish(name, period)
	}
}

// finish tells what was held back at a site in so long, and forgets the site.
func (o *output) finish(name string, in time.Duration) {
	s := o.sites[name]
	if s == nil {
		return
	}
	s.end.Stop()
	for _, h := range s.kinds {
		o.tell(h, in)
	}
	o.tell(s.others, in)
	delete(o.sites, name)
}

// stream is where one format's lines come in.
type stream struct {
	out   *output
	parse func([]byte) (line, bool)
	more  func([]byte, int, time.Duration) []byte
}

// Write implements io.Writer, a line at a time.
func (s *stream) Write(data []byte) (int, error) {
	l, ok := s.parse(data)
	if !ok {
		l.severity = info
	}
	if err := s.out.write(l, data, s.more); err != nil {
		return 0, fmt.Errorf("writing the log: %w", err)
	}
	return len(data), nil
}

// wants reports whether a line that klog has formatted itself is told. Its level is
// not known. Nobody here writes such lines, but the bridge to etcd its warnings.
func (o *output) wants(l line) bool {
	switch l.severity {
	case info:
		return everything() || slices.ContainsFunc(o.vmodule, func(item logsapi.VModuleItem) bool {
			match, _ := filepath.Match(item.FilePattern, strings.TrimSuffix(l.file(), ".go"))
			return match
		})
	case warning:
		return verbosity() >= Warnings
	}
	return true
}

// writeAsText and writeAsJSON take lines that klog has formatted itself.
func writeAsText(s *stream) func([]byte) {
	return func(data []byte) {
		if l, ok := parseText(data); !ok || s.out.wants(l) {
			_, _ = s.Write(data)
		}
	}
}

func writeAsJSON(o *output) func([]byte) {
	return func(data []byte) {
		l, ok := parseText(data)
		if !ok {
			l = line{severity: info, text: string(data)}
		}
		if !ok || o.wants(l) {
			_ = o.write(l, encodeJSON(l, time.Now()), moreJSON)
		}
	}
}

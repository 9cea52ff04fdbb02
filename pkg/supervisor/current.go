// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
)

// Label is the profiling label that every goroutine of a component carries,
// with the component's name as its value. Goroutines inherit it, so a profile
// and a panic can be traced to their component.
const Label = "component"

// profiling lets one goroutine at a time into ownLabels, which tells by that
// which one in the profile it is.
var profiling sync.Mutex

// CurrentComponent returns the component that the calling goroutine belongs to,
// or "". It takes a profile of all goroutines (some 10 ms per 1,000 of them), so
// it is for failures only.
//
// Nothing else that Go exports shows a goroutine's labels: GODEBUG's
// tracebacklabels puts them into the goroutine's own stack, but Go 1.26 takes
// that setting from the environment only, not from go.mod.
func CurrentComponent() string {
	profiling.Lock()
	defer profiling.Unlock()
	return labelValue(ownLabels(), Label)
}

// ownLabels returns the labels of the calling goroutine as the profile prints
// them, e.g. {"component":"etcd", "other":"x"}, or "".
//
//go:noinline
func ownLabels() string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return ""
	}
	pc, _, _, _ := runtime.Caller(0)
	frame := runtime.FuncForPC(pc).Name() + "+0x"
	for record := range strings.SplitSeq(profile.String(), "\n\n") {
		if !strings.Contains(record, frame) {
			continue
		}
		for line := range strings.Lines(record) {
			if labels, ok := strings.CutPrefix(line, "# labels: "); ok {
				return strings.TrimSpace(labels)
			}
		}
	}
	return ""
}

// labelValue returns the value of key in labels, a list of Go-quoted pairs in
// braces, or "".
func labelValue(labels, key string) string {
	rest := strings.TrimPrefix(labels, "{")
	for {
		k, afterKey, ok := cutQuoted(rest)
		if !ok {
			return ""
		}
		value, afterValue, ok := cutQuoted(strings.TrimPrefix(afterKey, ":"))
		if !ok {
			return ""
		}
		if k == key {
			return value
		}
		rest = strings.TrimPrefix(afterValue, ", ")
	}
}

// cutQuoted returns the Go string that s begins with, and what follows it.
func cutQuoted(s string) (value, rest string, ok bool) {
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", s, false
	}
	value, err = strconv.Unquote(quoted)
	return value, s[len(quoted):], err == nil
}

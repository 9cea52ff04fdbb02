// SPDX-License-Identifier: Apache-2.0

package checker

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Lost returns the acknowledged writes that are not in what is stored at the end,
// by object and version.
func Lost(ops []Op, stored map[string]int) []string {
	acknowledged := map[string]int{}
	for _, op := range ops {
		if op.Verb != Read && op.Err == "" {
			acknowledged[op.Object] = max(acknowledged[op.Object], op.Version)
		}
	}
	var lost []string
	for _, object := range slices.Sorted(maps.Keys(acknowledged)) {
		if version, want := stored[object], acknowledged[object]; version < want {
			lost = append(lost, fmt.Sprintf("%s: version %d was acknowledged, %s", object, want, stands(version)))
		}
	}
	return lost
}

// Stale returns the reads that did not see a write that was acknowledged before they
// began.
func Stale(ops []Op) []string {
	writes := map[string][]Op{}
	for _, op := range ops {
		if op.Verb != Read && op.Err == "" {
			writes[op.Object] = append(writes[op.Object], op)
		}
	}
	var stale []string
	for _, read := range ops {
		if read.Verb != Read || read.Err != "" {
			continue
		}
		for _, w := range writes[read.Object] {
			if w.Ended.Before(read.Began) && read.Version < w.Version {
				stale = append(stale, fmt.Sprintf("%s: version %d was acknowledged at %s, at %s %s", read.Object,
					w.Version, w.Ended.Format(stamp), read.Began.Format(stamp), stands(read.Version)))
				break
			}
		}
	}
	return stale
}

const stamp = "15:04:05.000"

func stands(version int) string {
	if version == 0 {
		return "it is not there"
	}
	return fmt.Sprintf("version %d is there", version)
}

// Gaps returns what a watch kept to itself: acknowledged writes that it never
// delivered although they came after its beginning, events that came again or out
// of order. A new list, which the server may ask for, stands for what it holds.
func Gaps(ops []Op, watched []Event) []string {
	var gaps []string
	seen := map[int64]bool{}
	var last int64
	var listed []span // what came between an event and the list after it
	for _, e := range watched {
		switch {
		case e.List:
			listed = append(listed, span{last, e.Revision})
		case e.Revision <= last:
			gaps = append(gaps, fmt.Sprintf("%s: revision %d came after %d", e.Object, e.Revision, last))
		}
		seen[e.Revision] = seen[e.Revision] || !e.List
		last = max(last, e.Revision)
	}
	for _, op := range ops {
		if op.Verb == Read || op.Err != "" || seen[op.Revision] {
			continue
		}
		if !slices.ContainsFunc(listed, func(s span) bool { return s.from < op.Revision && op.Revision <= s.to }) {
			gaps = append(gaps, fmt.Sprintf("%s: version %d, revision %d, was never delivered; the last was revision %d", op.Object, op.Version, op.Revision, last))
		}
	}
	return gaps
}

// span is from one revision, exclusive, to another.
type span struct{ from, to int64 }

// Relists is how often a watch had to begin anew.
func Relists(watched []Event) int {
	n := -1
	for _, e := range watched {
		if e.List {
			n++
		}
	}
	return max(n, 0)
}

// Service is how somebody was served.
type Service struct {
	// Asked and Failed count requests.
	Asked, Failed int
	// Without is the longest time in which none of its requests was answered well.
	Without time.Duration
}

// Served returns how each client was served between two moments.
func Served(ops []Op, from, to time.Time) map[string]Service {
	served := map[string]Service{}
	last := map[string]time.Time{}
	for _, op := range ops {
		if op.Ended.Before(from) || op.Began.After(to) {
			continue
		}
		s := served[op.Client]
		s.Asked++
		if op.Err != "" {
			s.Failed++
		} else {
			s.Without = max(s.Without, op.Ended.Sub(since(last, op.Client, from)))
			last[op.Client] = op.Ended
		}
		served[op.Client] = s
	}
	for client, s := range served {
		s.Without = max(s.Without, to.Sub(since(last, client, from)))
		served[client] = s
	}
	return served
}

func since(last map[string]time.Time, client string, from time.Time) time.Time {
	if at, ok := last[client]; ok {
		return at
	}
	return from
}

// Duplicates returns whose pods are more than one, of what wants one each. pods
// are the owners of all pods that there ever were, by UID.
func Duplicates(pods map[string]string) []string {
	count := map[string]int{}
	for _, owner := range pods {
		count[owner]++
	}
	var more []string
	for _, owner := range slices.Sorted(maps.Keys(count)) {
		if count[owner] > 1 {
			more = append(more, fmt.Sprintf("%s: %d pods", owner, count[owner]))
		}
	}
	return more
}

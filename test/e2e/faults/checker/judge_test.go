// SPDX-License-Identifier: Apache-2.0

package checker

import (
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// at is so many seconds after noon.
func at(seconds float64) time.Time {
	return noon.Add(time.Duration(seconds * float64(time.Second)))
}

// wrote is an acknowledged write that takes a tenth of a second.
func wrote(object string, version int, revision int64, began float64) Op {
	verb := Update
	if version == 1 {
		verb = Create
	}
	return Op{Client: "c", Verb: verb, Object: object, Version: version, Revision: revision, Began: at(began), Ended: at(began + 0.1)}
}

func read(object string, version int, began float64) Op {
	return Op{Client: "c", Verb: Read, Object: object, Version: version, Began: at(began), Ended: at(began + 0.1)}
}

func failed(op Op) Op {
	op.Err = "cut off"
	return op
}

// want compares what was found with what has to be: each found thing contains its
// text.
func want(t *testing.T, found []string, texts ...string) {
	t.Helper()
	ok := len(found) == len(texts)
	for i := 0; ok && i < len(found); i++ {
		ok = strings.Contains(found[i], texts[i])
	}
	if !ok {
		t.Errorf("found %q, want %q", found, texts)
	}
}

func TestLost(t *testing.T) {
	ops := []Op{wrote("a", 1, 10, 0), wrote("a", 2, 11, 1), wrote("b", 1, 12, 2), failed(wrote("b", 2, 0, 3)), failed(wrote("c", 1, 0, 4)), read("d", 3, 5)}
	want(t, Lost(ops, map[string]int{"a": 2, "b": 1}))
	want(t, Lost(ops, map[string]int{"a": 2, "b": 2, "c": 1})) // what failed may have happened
	want(t, Lost(ops, map[string]int{"a": 1, "b": 1}), "a: version 2 was acknowledged, version 1 is there")
	want(t, Lost(ops, map[string]int{"a": 2}), "b: version 1 was acknowledged, it is not there")
	want(t, Lost(ops, nil), "a: version 2", "b: version 1")
}

func TestStale(t *testing.T) {
	ops := []Op{wrote("a", 1, 10, 0), wrote("a", 2, 11, 1)}
	want(t, Stale(append(ops, read("a", 1, 0.5), read("a", 2, 2), read("b", 0, 2))))
	want(t, Stale(append(ops, read("a", 1, 1.05)))) // at the same time as the write
	want(t, Stale(append(ops, read("a", 1, 2))), "a: version 2 was acknowledged at 12:00:01.100, at 12:00:02.000 version 1 is there")
	want(t, Stale(append(ops, read("a", 0, 2))), "it is not there")
	want(t, Stale(append(ops, failed(read("a", 0, 2)))))
	want(t, Stale([]Op{failed(wrote("a", 1, 0, 0)), read("a", 0, 2)}))
}

func TestGaps(t *testing.T) {
	ops := []Op{wrote("a", 1, 10, 0), wrote("a", 2, 11, 1), wrote("b", 1, 12, 2), failed(wrote("b", 2, 0, 3)), read("b", 1, 4)}
	list := func(revision int64) Event { return Event{List: true, Revision: revision} }
	event := func(revision int64) Event { return Event{Object: "x", Revision: revision} }
	for name, c := range map[string]struct {
		watched []Event
		want    []string
	}{
		"all of them":                     {[]Event{list(9), event(10), event(11), event(12)}, nil},
		"what others wrote between them":  {[]Event{list(8), event(9), event(10), event(11), event(12), event(20)}, nil},
		"begun later":                     {[]Event{list(11), event(12)}, nil},
		"one is left out":                 {[]Event{list(9), event(10), event(12)}, []string{"a: version 2, revision 11, was never delivered"}},
		"the end is missing":              {[]Event{list(9), event(10), event(11)}, []string{"b: version 1, revision 12, was never delivered; the last was revision 11"}},
		"listed again":                    {[]Event{list(9), event(10), list(11), event(12)}, nil},
		"listed again, and one left out":  {[]Event{list(9), event(10), list(10), event(12)}, []string{"revision 11"}},
		"left out before a new list":      {[]Event{list(9), event(10), event(12), list(13)}, []string{"a: version 2, revision 11"}},
		"one again":                       {[]Event{list(9), event(10), event(11), event(11), event(12)}, []string{"x: revision 11 came after 11"}},
		"out of order":                    {[]Event{list(9), event(10), event(12), event(11)}, []string{"revision 11 came after 12"}},
		"nothing at all, and never begun": {nil, []string{"revision 10", "revision 11", "revision 12"}},
	} {
		t.Run(name, func(t *testing.T) { want(t, Gaps(ops, c.watched), c.want...) })
	}
	if n := Relists([]Event{list(9), event(10), list(11)}); n != 1 {
		t.Errorf("it was listed again %d times, want 1", n)
	}
	if n := Relists(nil); n != 0 {
		t.Errorf("a watch that never began was listed again %d times", n)
	}
}

func TestServed(t *testing.T) {
	ops := []Op{
		read("a", 1, 0), read("a", 1, 1), failed(read("a", 1, 2)), failed(read("a", 1, 3)), read("a", 1, 6), read("a", 1, 7),
		{Client: "idle", Verb: Read, Began: at(2), Ended: at(9), Err: "timed out"},
	}
	served := Served(ops, at(0.5), at(8))
	if got, want := served["c"], (Service{Asked: 5, Failed: 2, Without: 5 * time.Second}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := served["idle"], (Service{Asked: 1, Failed: 1, Without: 7500 * time.Millisecond}); got != want {
		t.Errorf("of who was never served: %+v, want %+v", got, want)
	}
	if got := Served(ops, at(0), at(5))["c"].Without; got != 3900*time.Millisecond {
		t.Errorf("until the end it is %s without service", got)
	}
}

func TestDuplicates(t *testing.T) {
	want(t, Duplicates(map[string]string{"u1": "a", "u2": "b"}))
	want(t, Duplicates(map[string]string{"u1": "a", "u2": "b", "u3": "a"}), "a: 2 pods")
}

func TestIdle(t *testing.T) {
	bound := []time.Time{at(0), at(1), at(4), at(9)}
	for _, c := range []struct{ from, to, want float64 }{{0.5, 8, 4}, {0.5, 5, 3}, {5, 8, 3}, {0.5, 1.5, 0.5}} {
		if got := Idle(bound, at(c.from), at(c.to)).Seconds(); got != c.want {
			t.Errorf("from %v to %v: %v s, want %v", c.from, c.to, got, c.want)
		}
	}
}

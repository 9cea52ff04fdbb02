// SPDX-License-Identifier: Apache-2.0

// Package conformance runs upstream's conformance tests. Those that need no more than an
// apiserver are a scenario like others. All of them take two clusters with real workers, of
// the stock daemons and of ours, and hours: make conformance runs them, as root.
package conformance

import (
	"errors"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/conformance"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// TestConformance compares what each passes. SUBJECT has only one of them tested, and
// compares with what was found out about the other before; cis is ours with that profile.
// FOCUS is a regular expression for the names of cases.
func TestConformance(t *testing.T) {
	if os.Getenv("CONFORMANCE") == "" {
		t.Skip("make conformance runs it")
	}
	procs := 6
	if given := os.Getenv("PROCS"); given != "" {
		var err error
		if procs, err = strconv.Atoi(given); err != nil {
			t.Fatalf("PROCS: %v", err)
		}
	}
	judged, only := ours, subject(os.Getenv("SUBJECT"))
	if only == cis {
		judged = cis
	}
	for _, who := range []subject{stock, judged} {
		if only == "" || only == who {
			t.Run(string(who), func(t *testing.T) { newSite(harness.New(t), who).suite().all(procs) })
		}
	}
	e := harness.New(t)
	var c conformance.Comparison
	for who, report := range map[subject]*conformance.Report{stock: &c.Stock, judged: &c.Ours} {
		dir := reports(e, who)
		if _, err := os.Stat(dir); only != "" && errors.Is(err, os.ErrNotExist) {
			t.Logf("there is nothing to compare with: run it with SUBJECT=%s as well", who)
			return
		}
		var err error
		*report, err = conformance.ReadDir(dir)
		e.Must(err)
	}
	if os.Getenv("FOCUS") == "" {
		c.Known = known
	} else {
		c = c.Shared()
	}
	t.Logf("\n%s", c.Table())
	for _, finding := range c.Findings() {
		t.Error(finding)
	}
}

// all runs what can be run at once, then the rest, and then once more, alone, what has
// failed: several at once on a small machine is not what upstream's timeouts are for.
func (s *suite) all(procs int) {
	s.Helper()
	s.Must(os.RemoveAll(s.reports))
	var focus []string
	if f := os.Getenv("FOCUS"); f != "" {
		focus = []string{"--focus=" + f}
	}
	failed := s.run("parallel", procs, 4*time.Hour, append(focus, "--label-filter=Conformance && !Serial")...).In(conformance.Failed)
	failed = append(failed, s.run("serial", 1, 4*time.Hour, append(focus, "--label-filter=Conformance && Serial")...).In(conformance.Failed)...)
	if len(failed) == 0 {
		return
	}
	choice := []string{"--label-filter=Conformance"}
	for _, name := range failed {
		choice = append(choice, "--focus="+regexp.QuoteMeta(name))
	}
	s.run("again", 1, 2*time.Hour, choice...)
}

// known are the cases that do not pass with these workers.
var known = []conformance.Known{
	{
		Case:   "[sig-node] ImageVolume should succeed with pod and pull policy of Always",
		Reason: "it pulls an image, and there is no registry",
	},
	{
		Case:   "should allow server and client pods to establish an mTLS connection",
		Reason: "it always pulls its image, and there is no registry",
	},
	{
		Case:   "[sig-node] Kubelet when scheduling a read only busybox container should not write to root filesystem",
		Reason: "it wants the words of busybox's shell; here that is bash, because Debian's forgets variables that other cases look for",
	},
}

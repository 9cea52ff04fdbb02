// SPDX-License-Identifier: Apache-2.0

// Package conformance reads what upstream's conformance tests report about a cluster,
// and holds two clusters against each other.
package conformance

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// State is what became of a case.
type State string

// The states, from best to worst. A case was skipped by itself; those that were not asked
// for are in no Report.
const (
	Passed  State = "passed"
	Again   State = "passed when run again"
	Skipped State = "skipped"
	Failed  State = "failed"
)

// OK reports whether a case has passed.
func (s State) OK() bool { return s == Passed || s == Again }

// Report is what became of each case, by its name.
type Report map[string]Result

// Result is what became of a case.
type Result struct {
	State State
	// Why is the message of one that did not pass.
	Why  string
	Took time.Duration
}

// suites are a file in JUnit's format, as ginkgo writes it.
type suites struct {
	Cases []struct {
		Name    string  `xml:"name,attr"`
		Status  string  `xml:"status,attr"`
		Time    float64 `xml:"time,attr"`
		Skipped struct {
			Message string `xml:"message,attr"`
		} `xml:"skipped"`
		Failure string `xml:"failure"`
		Error   string `xml:"error"`
	} `xml:"testsuite>testcase"`
}

// Read returns the conformance cases of a file in JUnit's format that were run.
func Read(path string) (Report, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s suites
	if err := xml.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := Report{}
	for _, c := range s.Cases {
		name, isCase := strings.CutPrefix(c.Name, "[It] ")
		result := Result{State: Failed, Took: time.Duration(c.Time * float64(time.Second))}
		switch c.Status {
		case "passed":
			result.State = Passed
		case "skipped":
			// That of a case that was not asked for is "skipped", and no more.
			why, itself := strings.CutPrefix(c.Skipped.Message, "skipped - ")
			if !itself {
				continue
			}
			result.State, result.Why = Skipped, why
		case "pending":
			continue
		default:
			result.Why = c.Failure + c.Error
		}
		switch {
		case isCase && strings.Contains(name, "[Conformance]"):
			r[name] = result
		case !isCase && result.State == Failed:
			return nil, fmt.Errorf("%s: %s failed: %s", path, c.Name, result.Why)
		}
	}
	return r, nil
}

// The files of a directory: those that were run at once, those that have to be alone, and
// those of both that had failed, once more.
const (
	ParallelFile = "junit_parallel-01.xml"
	SerialFile   = "junit_serial-01.xml"
	AgainFile    = "junit_again-01.xml"
)

// ReadDir returns what the files in a directory say together.
func ReadDir(dir string) (Report, error) {
	all := Report{}
	for _, name := range []string{ParallelFile, SerialFile, AgainFile} {
		r, err := Read(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for name, result := range r {
			if _, before := all[name]; before && result.State == Passed {
				result.State = Again
			}
			all[name] = result
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no reports of conformance tests", dir)
	}
	return all, nil
}

// In returns the names of the cases in a state, sorted.
func (r Report) In(s State) []string {
	var names []string
	for name, result := range r {
		if result.State == s {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

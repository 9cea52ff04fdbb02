// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The elements of a JUnit report, as CI systems read it
// (https://github.com/testmoapp/junitxml).
type (
	testSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		totals
		Suites []testSuite `xml:"testsuite"`
	}
	testSuite struct {
		totals
		Timestamp string     `xml:"timestamp,attr"`
		Cases     []testCase `xml:"testcase"`
	}
	totals struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
		Time     string `xml:"time,attr"`
	}
	testCase struct {
		Name      string   `xml:"name,attr"`
		ClassName string   `xml:"classname,attr"`
		Time      string   `xml:"time,attr"`
		Failure   *message `xml:"failure"`
		Skipped   *message `xml:"skipped"`
		Output    string   `xml:"system-out,omitempty"`
	}
	message struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit prints results as a JUnit report; begun is when they were begun.
func WriteJUnit(w io.Writer, results []Result, begun time.Time) error {
	suite := testSuite{
		totals:    totals{Name: "khw-controller verify", Tests: len(results), Failures: Count(results, Failed), Skipped: Count(results, Skipped)},
		Timestamp: begun.UTC().Format("2006-01-02T15:04:05"),
	}
	longest := 0.0 // they run side by side
	for _, r := range results {
		longest = max(longest, r.Seconds)
		suite.Cases = append(suite.Cases, newTestCase(r))
	}
	suite.Time = seconds(longest)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(testSuites{totals: suite.totals, Suites: []testSuite{suite}}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func newTestCase(r Result) testCase {
	c := testCase{Name: r.Step, ClassName: "khw-controller.verify", Time: seconds(r.Seconds), Output: strings.Join(append(r.Output[:len(r.Output):len(r.Output)], differs(r)...), "\n")}
	switch r.Outcome {
	case Skipped:
		c.Skipped = &message{Message: r.Skipped}
	case Failed:
		var text []string
		for _, f := range r.Failures {
			text = append(text, f.Problem+"\n-> "+f.Next)
		}
		c.Failure = &message{Message: r.Failures[0].Problem, Type: "failed", Text: strings.Join(text, "\n")}
	}
	return c
}

// differs is why the lab's own value is another one, for who reads the output.
func differs(r Result) []string {
	if r.Differs == "" {
		return nil
	}
	return []string{"the lab's own value: " + r.Differs}
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }

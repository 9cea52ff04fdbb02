// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"
)

// severity is klog's, as the first letter of a line of text.
type severity byte

const (
	info      severity = 'I'
	warning   severity = 'W'
	errorLine severity = 'E'
)

// line is what is known of a line of the log.
type line struct {
	severity severity
	// site is the line of code that wrote it, file.go:123.
	site string
	// text is what it says, with its error.
	text string
}

// file is the name of the source file that wrote it.
func (l line) file() string {
	name, _, _ := strings.Cut(l.site, ":")
	return name
}

// variable are the parts in which two lines of one kind differ: numbers, addresses,
// times, hashes.
var variable = regexp.MustCompile(`[0-9A-Za-z_.:/\[\]-]*[0-9][0-9A-Za-z_.:/\[\]-]*`)

// kind is the same for lines that say the same of different things.
func (l line) kind() string {
	if i := l.among(manyFaced); i >= 0 {
		return manyFaced[i].text
	}
	return string(l.severity) + l.site + " " + variable.ReplaceAllString(l.text, "#")
}

// header is how klog begins a line of text: severity and date, time, thread, file
// and line (k8s.io/klog/v2, formatHeader).
var header = regexp.MustCompile(`^([IWEF])\d{4} \d{2}:\d{2}:\d{2}\.\d{6} +\d+ ([^ \]]+:\d+)\] `)

// parseText reads a line of text; one that klog did not write is told as it is.
func parseText(data []byte) (line, bool) {
	m := header.FindSubmatchIndex(data)
	if m == nil {
		return line{}, false
	}
	return line{
		severity: severity(data[m[2]]), site: string(data[m[4]:m[5]]),
		text: string(bytes.TrimSuffix(data[m[1]:], []byte("\n"))),
	}, true
}

// jsonLine are the keys of component-base's JSON format; errors have no level.
type jsonLine struct {
	Time   float64 `json:"ts"`
	Caller string  `json:"caller"`
	Msg    string  `json:"msg"`
	V      *int    `json:"v,omitempty"`
	Err    string  `json:"err,omitempty"`
}

func parseJSON(data []byte) (line, bool) {
	var j jsonLine
	if err := json.Unmarshal(data, &j); err != nil {
		return line{}, false
	}
	l := line{severity: info, site: path.Base(j.Caller), text: j.Msg}
	if j.V == nil {
		l.severity, l.text = errorLine, strings.TrimSpace(j.Msg+" "+j.Err)
	}
	return l, true
}

// encodeJSON writes what klog has formatted as text, as component-base does.
func encodeJSON(l line, now time.Time) []byte {
	j := jsonLine{Time: float64(now.UnixNano()) / float64(time.Millisecond), Caller: l.site, Msg: l.text}
	if l.severity == info || l.severity == warning {
		j.V = new(int)
	}
	data, err := json.Marshal(j)
	if err != nil {
		return nil // strings and numbers
	}
	return append(data, '\n')
}

// moreText and moreJSON add to a line that there were n more of its kind.
func moreText(data []byte, n int, period time.Duration) []byte {
	return fmt.Appendf(bytes.TrimRight(data, "\n"), " (%d more like it in %s)\n", n, period)
}

func moreJSON(data []byte, n int, period time.Duration) []byte {
	return fmt.Appendf(bytes.TrimRight(data, "}\n"), `,"more":%d,"period":%q}`+"\n", n, period)
}

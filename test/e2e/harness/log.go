// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"regexp"
	"strings"
)

// errorLine matches errors in klog's text format, and in its JSON format, where
// what is no error has a level.
var (
	errorLine = regexp.MustCompile(`^[EF]\d{4} `)
	levelJSON = regexp.MustCompile(`[{,]"v":\d`)
)

// ErrorLines are those at error level in the log of the latest process.
func (c *Controller) ErrorLines() []string {
	var found []string
	for _, l := range c.Process.Lines() {
		if errorLine.MatchString(l) || strings.HasPrefix(l, "{") && !levelJSON.MatchString(l) {
			found = append(found, l)
		}
	}
	return found
}

// LogIsQuiet wants the latest process's log to be a story that an operator reads:
// no line at error level, and at most so many lines.
func (c *Controller) LogIsQuiet(most int) {
	c.Helper()
	for _, l := range c.ErrorLines() {
		c.Errorf("%s went well, and yet it logs: %s", c.Name, l)
	}
	lines := c.Process.Lines()
	if len(lines) > most {
		c.Errorf("%s logs %d lines, want at most %d:\n%s", c.Name, len(lines), most, strings.Join(lines, "\n"))
	}
	c.Logf("%s logs %d lines:\n%s", c.Name, len(lines), strings.Join(lines, "\n"))
}

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

// LogIsQuiet wants the latest process's log to be a story that an operator reads:
// no line at error level, and at most so many lines.
func (c *Controller) LogIsQuiet(most int) {
	c.Helper()
	lines := c.Process.Lines()
	for _, l := range lines {
		if errorLine.MatchString(l) || strings.HasPrefix(l, "{") && !levelJSON.MatchString(l) {
			c.Errorf("%s went well, and yet it logs: %s", c.Name, l)
		}
	}
	if len(lines) > most {
		c.Errorf("%s logs %d lines, want at most %d:\n%s", c.Name, len(lines), most, strings.Join(lines, "\n"))
	}
	c.Logf("%s logs %d lines:\n%s", c.Name, len(lines), strings.Join(lines, "\n"))
}

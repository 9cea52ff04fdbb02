// SPDX-License-Identifier: Apache-2.0

// Package logging is the process's log: klog's lines, with the story of this
// program first. What the components say at their informational levels comes with
// [Everything] only; their errors always come, each kind once a minute with a count
// (docs/decisions/0007-log.md).
package logging

import (
	"flag"
	"io"
	"sync/atomic"

	logsapi "k8s.io/component-base/logs/api/v1"
	logsjson "k8s.io/component-base/logs/json"
	_ "k8s.io/component-base/logs/json/register" // --logging-format=json is refused without it, as in the stock daemons' mains
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"

	"github.com/khw-controller/khw-controller/pkg/logging/zapsink"
)

// Levels of verbosity (--v) at which more is logged. Below Warnings there are this
// program's own lines and everybody's errors.
const (
	// Warnings are those of the components, and the lines of this program with
	// details: the lab's level.
	Warnings klog.Level = 2
	// Everything is what the stock daemons log at that level, line by line.
	Everything klog.Level = 4
)

// anyLevel is higher than every level that is in use: what is wanted is klog's to
// say, and may change while the process runs.
const anyLevel = 10

// Use has klog write to w in the format of c, until the process ends. It must not
// be called while others log.
func Use(w io.Writer, c *logsapi.LoggingConfiguration) {
	out := newOutput(w, c.VModule)
	inUse.Store(out)
	zapsink.Use(logEtcdClient)
	// Nothing flushes it but Flush: klog would every five seconds.
	options := []klog.LoggerOption{klog.ContextualLogger(true)}
	if c.Format == logsapi.JSONLogFormat {
		config := *c.DeepCopy()
		config.Verbosity = anyLevel
		stream := &stream{out: out, parse: parseJSON, more: moreJSON}
		logger, _ := logsjson.Factory{}.Create(config, logsapi.LoggingOptions{ErrorStream: stream, InfoStream: stream})
		klog.SetLoggerWithOptions(wrap(logger), append(options, klog.WriteKlogBuffer(writeAsJSON(out)))...)
		return
	}
	stream := &stream{out: out, parse: parseText, more: moreText}
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(stream), textlogger.Verbosity(anyLevel)))
	klog.SetLoggerWithOptions(wrap(logger), append(options, klog.WriteKlogBuffer(writeAsText(stream)))...)
}

// inUse is the process's output, as klog's logger is the process's.
var inUse atomic.Pointer[output]

// Flush writes the counts that are held back. It has to be called before the
// process ends.
func Flush() {
	klog.Flush()
	if out := inUse.Load(); out != nil {
		out.flush()
	}
}

// everything reports whether the log is that of the stock daemons.
func everything() bool { return verbosity() >= Everything }

// verbosity is klog's --v, without --vmodule. It is read from the flag because
// klog.V may wait for the lock that klog holds while it writes a line.
func verbosity() klog.Level {
	level, _ := verbosityFlag.Get().(klog.Level)
	return level
}

// verbosityFlag is found before the first line: klog.InitFlags waits for the same
// lock.
var verbosityFlag = func() flag.Getter {
	fs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(fs)
	return fs.Lookup("v").Value.(flag.Getter)
}()

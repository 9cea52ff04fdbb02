// SPDX-License-Identifier: Apache-2.0

package server

import (
	"io"
	"runtime"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
)

// storyLog is the text log with one level below the stock daemons' lowest: at
// verbosity 0 it has this program's own lines and everybody's errors. What the
// components say at their level 0 (some 400 lines at a start) comes with 1.
type storyLog struct {
	logr.LogSink
	depth int // of the caller's stack frame
}

// useStoryLog has klog write to w in this way. It must not be called while others
// log.
func useStoryLog(w io.Writer) {
	// What is wanted at all is klog's to say, and may change.
	text := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(w), textlogger.Verbosity(10)))
	klog.SetLoggerWithOptions(logr.New(&storyLog{LogSink: text.GetSink()}), klog.ContextualLogger(true),
		klog.WriteKlogBuffer(func(line []byte) {
			// Formatted by klog: its first letter is the severity. None is ours.
			if verbose() || len(line) == 0 || strings.IndexByte("IW", line[0]) < 0 {
				_, _ = w.Write(line)
			}
		}))
}

func verbose() bool { return klog.V(1).Enabled() }

// Init is part of logr.LogSink.
func (s *storyLog) Init(info logr.RuntimeInfo) {
	s.depth = info.CallDepth
	info.CallDepth++ // for this one's frame
	s.LogSink.Init(info)
}

// WithCallDepth is logr.CallDepthLogSink.
func (s *storyLog) WithCallDepth(depth int) logr.LogSink {
	return &storyLog{s.LogSink.(logr.CallDepthLogSink).WithCallDepth(depth), s.depth + depth}
}

// WithValues is part of logr.LogSink.
func (s *storyLog) WithValues(kv ...any) logr.LogSink {
	return &storyLog{s.LogSink.WithValues(kv...), s.depth}
}

// WithName is part of logr.LogSink.
func (s *storyLog) WithName(name string) logr.LogSink {
	return &storyLog{s.LogSink.WithName(name), s.depth}
}

// Enabled is part of logr.LogSink.
func (s *storyLog) Enabled(level int) bool {
	return klog.VDepth(s.depth+1, klog.Level(level)).Enabled()
}

// Info is part of logr.LogSink. Errors are always told.
func (s *storyLog) Info(level int, msg string, kv ...any) {
	if verbose() || ours(s.depth+1) {
		s.LogSink.Info(level, msg, kv...)
	}
}

const (
	ownPackages = "github.com/khw-controller/khw-controller/"
	// etcdBridge passes on what etcd says.
	etcdBridge = ownPackages + "pkg/component/etcd.(*klogCore)"
)

// ours says whether the caller so many frames above this function's is this
// program itself.
func ours(frames int) bool {
	pc, _, _, ok := runtime.Caller(frames + 1)
	if !ok {
		return false
	}
	name := runtime.FuncForPC(pc).Name()
	return strings.HasPrefix(name, ownPackages) && !strings.HasPrefix(name, etcdBridge)
}

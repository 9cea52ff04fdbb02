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

// quietSink is the text log with one level below the stock daemons' lowest: at
// verbosity 0 it has this program's own lines and everybody's errors. What the
// components say at their level 0 (some 400 lines at a start) comes with 1.
type quietSink struct {
	logr.LogSink
	depth int // of the caller's stack frame
}

// useQuietLog has klog write to w in this way. It must not be called while others
// log.
func useQuietLog(w io.Writer) {
	// What is wanted at all is klog's to say, and may change.
	text := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(w), textlogger.Verbosity(10)))
	klog.SetLoggerWithOptions(logr.New(&quietSink{LogSink: text.GetSink()}), klog.ContextualLogger(true),
		klog.WriteKlogBuffer(func(line []byte) {
			// Formatted by klog: its first letter is the severity. None is ours.
			if verbose() || len(line) == 0 || strings.IndexByte("IW", line[0]) < 0 {
				_, _ = w.Write(line)
			}
		}))
}

func verbose() bool { return klog.V(1).Enabled() }

// Init is part of logr.LogSink.
func (s *quietSink) Init(info logr.RuntimeInfo) {
	s.depth = info.CallDepth
	info.CallDepth++ // for the frames of Info and Error below
	s.LogSink.Init(info)
}

// WithCallDepth is logr.CallDepthLogSink.
func (s *quietSink) WithCallDepth(depth int) logr.LogSink {
	return &quietSink{s.LogSink.(logr.CallDepthLogSink).WithCallDepth(depth), s.depth + depth}
}

// WithValues is part of logr.LogSink.
func (s *quietSink) WithValues(kv ...any) logr.LogSink {
	return &quietSink{s.LogSink.WithValues(kv...), s.depth}
}

// WithName is part of logr.LogSink.
func (s *quietSink) WithName(name string) logr.LogSink {
	return &quietSink{s.LogSink.WithName(name), s.depth}
}

// Enabled is part of logr.LogSink.
func (s *quietSink) Enabled(level int) bool {
	return klog.VDepth(s.depth+1, klog.Level(level)).Enabled()
}

// Error is part of logr.LogSink. Errors are always told. It is not left to the
// sink inside: Go's own wrapper of an embedded method is no frame.
func (s *quietSink) Error(err error, msg string, kv ...any) { s.LogSink.Error(err, msg, kv...) }

// Info is part of logr.LogSink.
func (s *quietSink) Info(level int, msg string, kv ...any) {
	if verbose() || ours(s.depth+1) {
		s.LogSink.Info(level, msg, kv...)
	}
}

const (
	ownPackages = "github.com/khw-controller/khw-controller/"
	// etcdBridge passes on what etcd says.
	etcdBridge = ownPackages + "pkg/component/etcd.(*klogCore)"
)

// ours reports whether the caller so many frames above this function's is this
// program itself.
func ours(frames int) bool {
	pc, _, _, ok := runtime.Caller(frames + 1)
	if !ok {
		return false
	}
	name := runtime.FuncForPC(pc).Name()
	return strings.HasPrefix(name, ownPackages) && !strings.HasPrefix(name, etcdBridge)
}

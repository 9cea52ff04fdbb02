// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"runtime"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// sink passes on structured lines: every error, this program's own lines, and
// those of others with Everything.
type sink struct {
	logr.LogSink
	depth int // of the caller's stack frame
}

// wrap puts a sink before that of logger, which is one more frame for it.
func wrap(logger logr.Logger) logr.Logger {
	return logr.New(&sink{LogSink: logger.WithCallDepth(1).GetSink()})
}

// Init is part of logr.LogSink. The sink inside is initialized already, and zapr's
// would add to its depth once more.
func (s *sink) Init(info logr.RuntimeInfo) { s.depth = info.CallDepth }

// WithCallDepth is logr.CallDepthLogSink.
func (s *sink) WithCallDepth(depth int) logr.LogSink {
	return &sink{s.LogSink.(logr.CallDepthLogSink).WithCallDepth(depth), s.depth + depth}
}

// WithValues is part of logr.LogSink.
func (s *sink) WithValues(kv ...any) logr.LogSink {
	return &sink{s.LogSink.WithValues(kv...), s.depth}
}

// WithName is part of logr.LogSink.
func (s *sink) WithName(name string) logr.LogSink {
	return &sink{s.LogSink.WithName(name), s.depth}
}

// Enabled is part of logr.LogSink.
func (s *sink) Enabled(level int) bool {
	return klog.VDepth(s.depth+1, klog.Level(level)).Enabled()
}

// Error is part of logr.LogSink. Errors are always told. It is not left to the
// sink inside: Go's own wrapper of an embedded method is no frame.
func (s *sink) Error(err error, msg string, kv ...any) { s.LogSink.Error(err, msg, kv...) }

// Info is part of logr.LogSink. A line at a level above the process's is there
// because --vmodule asks for it.
func (s *sink) Info(level int, msg string, kv ...any) {
	if everything() || klog.Level(level) > verbosity() || ours(s.depth+1) {
		s.LogSink.Info(level, msg, kv...)
	}
}

const (
	ownPackages = "github.com/khw-controller/khw-controller/"
	// etcdBridge passes on what etcd says.
	etcdBridge     = ownPackages + "pkg/logging/zapklog."
	etcdBridgeFile = "zapklog.go"
	etcdClientFile = "etcdclient.go"
	grpcFile       = "logging.go"
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

// SPDX-License-Identifier: Apache-2.0

// Package zapklog has what an embedded etcd logs written to klog, so that there is one
// log in one format. It is a package of its own for the sake of its tests, which
// replace klog's settings: beside them no server may log that ends a little later than
// it was told to.
package zapklog

import (
	"fmt"
	"net"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
)

// New returns a logger that writes to klog. etcd's informational messages are klog's
// level 2, the lab's. fatal is called, with the message, when one is logged after which
// etcd would end the process.
func New(fatal func(reason string)) *zap.Logger {
	return zap.New(&core{}, zap.WithFatalHook(fatalHook(fatal)), zap.WithPanicHook(fatalHook(fatal)))
}

// fatalHook is run instead of the os.Exit(1) of a fatal message.
type fatalHook func(reason string)

func (h fatalHook) OnWrite(entry *zapcore.CheckedEntry, fields []zapcore.Field) {
	h(message(entry.Entry, fields))
}

func message(entry zapcore.Entry, fields []zapcore.Field) string {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(enc)
	}
	if err, ok := enc.Fields["error"].(string); ok {
		return entry.Message + ": " + err
	}
	return entry.Message
}

// core is a zapcore.Core on top of klog.
type core struct {
	fields []zapcore.Field
}

const infoLevel = 2

func (c *core) Enabled(level zapcore.Level) bool {
	switch {
	case level >= zapcore.WarnLevel:
		return true
	case level == zapcore.InfoLevel:
		return klog.V(infoLevel).Enabled()
	default:
		return klog.V(infoLevel + 2).Enabled()
	}
}

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{fields: append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

func (c *core) Check(entry zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return ce.AddCore(entry, c)
	}
	return ce
}

func (c *core) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	kv := []any{"component", "etcd"}
	for _, f := range append(c.fields[:len(c.fields):len(c.fields)], fields...) {
		if f.Type == zapcore.SkipType {
			continue // such as an error that is none
		}
		f.AddTo(enc)
		kv = append(kv, f.Key, enc.Fields[f.Key])
	}
	// Messages keep their rank.
	switch {
	case closed(enc.Fields["error"]):
		klog.InfoS(entry.Message, kv...)
	case entry.Level >= zapcore.ErrorLevel:
		klog.ErrorS(nil, entry.Message, kv...)
	case entry.Level == zapcore.WarnLevel:
		klog.Warning(warning(entry.Message, kv))
	default:
		klog.InfoS(entry.Message, kv...)
	}
	return nil
}

// warning is a message in the way of klog's structured lines, which have no
// warnings.
func warning(msg string, kv []any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", msg)
	for i := 0; i < len(kv); i += 2 {
		fmt.Fprintf(&b, " %v=%q", kv[i], fmt.Sprint(kv[i+1]))
	}
	return b.String()
}

// closed reports whether an error is that of a listener or a server which an
// orderly stop has closed: no trouble, though etcd logs it as an error. The
// servers are net/http's ("http: Server closed") and cmux's ("mux: server
// closed").
func closed(err any) bool {
	text, ok := err.(string)
	return ok && (strings.HasSuffix(text, net.ErrClosed.Error()) || strings.HasSuffix(strings.ToLower(text), "server closed"))
}

func (c *core) Sync() error {
	klog.Flush()
	return nil
}

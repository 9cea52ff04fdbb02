// SPDX-License-Identifier: Apache-2.0

// Package zapsink leads what etcd's client logs to this process's log. The
// apiserver makes that logger while packages are initialized
// (k8s.io/apiserver/pkg/storage/storagebackend/factory), and it writes to stderr by
// itself, a line for each attempt. So the default that it copies is changed before:
// packages are initialized in the order of their paths, each after what it imports,
// and this one imports nothing that the apiserver's does not.
package zapsink

import (
	"net/url"
	"os"
	"sync/atomic"

	"go.etcd.io/etcd/client/pkg/v3/logutil"
	"go.uber.org/zap"
)

// scheme of the sink, which is all of its URL.
const scheme = "khw-log"

func init() {
	err := zap.RegisterSink(scheme, func(*url.URL) (zap.Sink, error) { return sink{}, nil })
	if err != nil {
		panic(err) // a name that is taken
	}
	logutil.DefaultZapLoggerConfig.OutputPaths = []string{scheme + ":"}
}

// write takes a line of JSON, in the form of logutil.DefaultZapLoggerConfig.
var write atomic.Pointer[func([]byte)]

// Use has lines given to f instead of stderr.
func Use(f func([]byte)) { write.Store(&f) }

type sink struct{}

func (sink) Write(data []byte) (int, error) {
	if f := write.Load(); f != nil {
		(*f)(data)
		return len(data), nil
	}
	return os.Stderr.Write(data)
}

func (sink) Sync() error  { return nil }
func (sink) Close() error { return nil }

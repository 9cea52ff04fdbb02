// SPDX-License-Identifier: Apache-2.0

package zapsink

import (
	"strings"
	"testing"

	"go.etcd.io/etcd/client/pkg/v3/logutil"
	"go.uber.org/zap"
)

// That the apiserver's own logger is made after this package's init, the scenario
// test/e2e/log shows.
func TestTheDefaultLoggerWritesHere(t *testing.T) {
	t.Cleanup(func() { write.Store(nil) })
	logger, err := logutil.CreateDefaultZapLogger(zap.InfoLevel)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	Use(func(data []byte) { said.Write(data) })
	logger.Named("etcd-client").Warn("it", zap.Int("attempt", 3))
	if got := said.String(); !strings.Contains(got, `"logger":"etcd-client"`) || !strings.Contains(got, `"attempt":3}`) {
		t.Errorf("it writes %q", got)
	}
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/status"
)

func TestPauses(t *testing.T) {
	var p pauses
	at := time.Now()
	beat := func(after time.Duration) { p.beat(at, at.Add(after)); at = at.Add(after) }
	beat(time.Second)
	beat(3900 * time.Millisecond)
	if n, _ := p.recent(at); n != 0 || p.total() != 0 {
		t.Errorf("%d pauses on a busy machine", n)
	}
	logged(t, func() { beat(8 * time.Second); beat(4 * time.Second) })
	if n, longest := p.recent(at); n != 2 || longest != 7*time.Second || p.total() != 2 {
		t.Errorf("%d pauses, up to %s", n, longest)
	}
	at = at.Add(2 * time.Hour)
	if n, _ := p.recent(at); n != 0 || p.total() != 2 {
		t.Errorf("%d pauses two hours later, %d in all", n, p.total())
	}
}

func TestStrainInWords(t *testing.T) {
	p, _, _ := observed(t, config.Config{})
	still := strain{plan: p}
	if got := still.warnings(&status.Report{}); got != nil {
		t.Errorf("without any: %q", got)
	}
	const advice = "`profile: edge` on every controller would bear that: leases last 1m0s then, and so long nobody leads when a leader dies, which is 15s now"
	slow := status.Etcd{Members: []etcdclient.Member{{FsyncP99: 0.2}}}
	if got := still.warnings(&status.Report{Etcd: slow}); !slices.Equal(got, []string{advice}) {
		t.Errorf("on a slow disk: %q", got)
	}
	at := time.Now()
	logged(t, func() { still.pauses.beat(at, at.Add(8*time.Second)) })
	got := still.warnings(&status.Report{})
	if len(got) != 2 || !strings.HasPrefix(got[0], "this process stood still once in the last hour, for up to 7s:") || got[1] != advice {
		t.Errorf("after a pause: %q", got)
	}
	if got := still.warnings(&status.Report{Profiles: []string{"edge"}}); len(got) != 1 {
		t.Errorf("with edge: %q", got)
	}
}

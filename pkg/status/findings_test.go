// SPDX-License-Identifier: Apache-2.0

package status

import (
	"slices"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

func TestFindings(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	expires := func(in time.Duration) Report {
		return Report{At: now, Certificates: []Certificate{{Path: "ca.pem", NotAfter: now.Add(in)}}}
	}
	member := func(m etcdclient.Member) Report {
		m.Name = "a"
		return Report{At: now, Etcd: Etcd{Members: []etcdclient.Member{m}}}
	}
	tests := map[string]struct {
		report             Report
		problems, warnings []string
	}{
		"all well": {member(etcdclient.Member{DBSize: 1 << 30, Quota: 2 << 30, FsyncP99: 0.1}), nil, nil},
		"no quota": {member(etcdclient.Member{DBSize: 1 << 30}), nil, nil},
		"expired":  {expires(-26 * time.Hour), []string{"ca.pem has expired 26h ago"}, nil},
		"expires":  {expires(12 * 24 * time.Hour), nil, []string{"ca.pem expires in 12d"}},
		"lasts":    {expires(31 * 24 * time.Hour), nil, nil},
		"no list":  {Report{Etcd: Etcd{Error: "no member answers"}}, []string{"etcd: no member answers"}, nil},
		"silent": {member(etcdclient.Member{Error: "does not answer at https://a:2379", FsyncP99: 1}),
			[]string{"etcd member a: does not answer at https://a:2379"}, nil},
		"alarm":     {member(etcdclient.Member{Alarms: []string{"NOSPACE"}}), []string{"etcd member a raises NOSPACE; delete what is not needed, or raise --etcd-arg quota-backend-bytes; then khw-controller etcd defrag --clear-alarms"}, nil},
		"near full": {member(etcdclient.Member{DBSize: 1900 << 20, Quota: 2 << 30}), nil, []string{"etcd member a uses 1.86 GiB of 2 GiB"}},
		"slow disk": {member(etcdclient.Member{FsyncP99: 0.25, FsyncWindow: 300}), nil,
			[]string{"the disk of etcd member a is slow: 99 of 100 writes took at most 250 ms in the last 5m"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			problems, warnings := Findings(&test.report)
			if !slices.Equal(problems, test.problems) || !slices.Equal(warnings, test.warnings) {
				t.Errorf("problems %q, warnings %q\nwant     %q,          %q", problems, warnings, test.problems, test.warnings)
			}
		})
	}
}

func TestDiskInWords(t *testing.T) {
	for p99, want := range map[float64]string{
		0:      "",
		0.0031: "good: 99 of 100 writes took at most 3.1 ms in the last 5m",
		0.045:  "slow: 99 of 100 writes took at most 45 ms in the last 5m; etcd wants 10 ms",
		0.3:    "very slow: 99 of 100 writes took at most 300 ms in the last 5m; etcd wants 10 ms, and leases are lost on such a disk",
	} {
		if got := Disk(etcdclient.Member{FsyncP99: p99, FsyncWindow: 300}); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 25 << 20: "25 MiB", 2 << 30: "2 GiB", 3 << 40: "3 TiB", 5 << 50: "5.12e+03 TiB"} {
		if got := bytes(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

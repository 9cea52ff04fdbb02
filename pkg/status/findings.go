// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// When a certificate is worth a warning.
const expiresSoon = 30 * 24 * time.Hour

// What 99 of 100 writes of etcd's log should stay below, in seconds: etcd's own
// advice (https://etcd.io/docs/latest/faq/, "What does the etcd warning
// 'failed to send out heartbeat on time' mean?"), and where leases begin to be
// lost with its stock timings.
const (
	goodFsync = 0.010
	slowFsync = 0.100
)

// nearQuota is the part of its quota at which a database is worth a warning.
const nearQuota = 0.8

// Findings are what is wrong by r beyond its components, and what will be.
func Findings(r *Report) (problems, warnings []string) {
	problems, warnings = []string{}, append([]string{}, ofFiles(r)...) // lists in JSON too
	if r.Etcd.Error != "" {
		problems = append(problems, "etcd: "+r.Etcd.Error)
	}
	for _, m := range r.Etcd.Members {
		p, w := ofMember(m)
		problems, warnings = append(problems, p...), append(warnings, w...)
	}
	for _, c := range r.Certificates {
		switch text, expiry := c.Expiry(r.At); expiry {
		case Expired:
			problems = append(problems, text)
		case ExpiresSoon:
			warnings = append(warnings, text)
		}
	}
	return problems, warnings
}

// Expiry is how a certificate's end is to be taken.
type Expiry int

// The expiries.
const (
	ExpiresLater Expiry = iota
	ExpiresSoon         // in less than 30 days
	Expired
)

// Expiry says how c's end is to be taken at a time, and says so in words; in none
// where it is far.
func (c Certificate) Expiry(at time.Time) (text string, e Expiry) {
	switch left := c.NotAfter.Sub(at); {
	case left <= 0:
		return fmt.Sprintf("%s has expired %s ago", c.Path, duration.HumanDuration(-left)), Expired
	case left < expiresSoon:
		return fmt.Sprintf("%s expires in %s", c.Path, duration.HumanDuration(left)), ExpiresSoon
	}
	return "", ExpiresLater
}

// Unanswered are warnings of who did not answer within patience: slow, which is
// not yet dead.
func Unanswered(r *Report, patience time.Duration) []string {
	warnings := []string{}
	for _, l := range r.Late {
		seen := "nothing is known of it yet"
		if !l.AsOf.IsZero() {
			seen = "what is shown of it is " + duration.HumanDuration(r.At.Sub(l.AsOf)) + " old"
		}
		warnings = append(warnings, fmt.Sprintf("%s is slow: no answer within %s; %s", l.Of, patience, seen))
	}
	return warnings
}

func ofMember(m etcdclient.Member) (problems, warnings []string) {
	if m.Error != "" {
		return []string{fmt.Sprintf("etcd member %s: %s", m.Name, m.Error)}, nil
	}
	if len(m.Alarms) > 0 {
		problems = append(problems, fmt.Sprintf("etcd member %s raises %s; %s", m.Name, strings.Join(m.Alarms, ", "), etcdclient.AlarmFix(strings.Join(m.Alarms, ", "))))
	}
	if m.Quota > 0 && float64(m.DBSize) > nearQuota*float64(m.Quota) {
		warnings = append(warnings, fmt.Sprintf("etcd member %s uses %s of %s", m.Name, bytes(m.DBSize), bytes(m.Quota)))
	}
	if SlowDisk(m) {
		warnings = append(warnings, fmt.Sprintf("the disk of etcd member %s is slow: %s", m.Name, fsync(m)))
	}
	return problems, warnings
}

// SlowDisk reports whether leases are lost on a member's disk.
func SlowDisk(m etcdclient.Member) bool { return m.FsyncP99 > slowFsync }

// Disk says in words how fast a member's disk is; nothing when it is not known.
func Disk(m etcdclient.Member) string {
	switch {
	case m.FsyncP99 == 0:
		return ""
	case m.FsyncP99 <= goodFsync:
		return "good: " + fsync(m)
	case m.FsyncP99 <= slowFsync:
		return "slow: " + fsync(m) + "; etcd wants 10 ms"
	}
	return "very slow: " + fsync(m) + "; etcd wants 10 ms, and leases are lost on such a disk"
}

func fsync(m etcdclient.Member) string {
	return fmt.Sprintf("99 of 100 writes took at most %s in the last %s", milliseconds(m.FsyncP99),
		duration.HumanDuration(time.Duration(m.FsyncWindow*float64(time.Second))))
}

func milliseconds(seconds float64) string {
	if ms := seconds * 1000; ms < 10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", seconds*1000)
}

// bytes is n in the largest unit that leaves at least 1.
func bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n), -1
	for value >= unit && prefix < 3 {
		value /= unit
		prefix++
	}
	return fmt.Sprintf("%.3g %ciB", value, "KMGT"[prefix])
}

// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"strings"
	"testing"
)

func TestAlarmFix(t *testing.T) {
	for text, says := range map[string][]string{
		"memberID:1 alarm:NOSPACE ": {"etcd defrag --clear-alarms"},
		"CORRUPT":                   {"add it anew"},
		"NOSPACE, CORRUPT":          {"etcd defrag --clear-alarms", "add it anew"},
		"etcdserver: no leader":     nil,
	} {
		got := AlarmFix(text)
		if says == nil && got != "" {
			t.Errorf("%q: got %q", text, got)
		}
		for _, s := range says {
			if !strings.Contains(got, s) {
				t.Errorf("%q: %q does not say %q", text, got, s)
			}
		}
	}
}

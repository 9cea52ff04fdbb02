// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"strings"

	utilnet "k8s.io/utils/net"
)

// checkRanges sees whether the components agree on the service range.
func checkRanges(in input) []Finding {
	var found []Finding
	for _, r := range in.ServiceRanges {
		if r.Value == "" {
			continue // given up: the controller-manager does without
		}
		if _, err := utilnet.ParseCIDRs(splitList(r.Value)); err != nil {
			found = append(found, failure(r.Flag+"="+r.Value, "is not a range of addresses", "write it like 10.32.0.0/24")...)
			continue
		}
		if first := in.ServiceRanges[0]; r.Value != first.Value {
			found = append(found, failure(r.Flag+"="+r.Value, "disagrees with "+first.Flag+"="+first.Value, "give both the same range")...)
		}
	}
	return found
}

func splitList(s string) []string {
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// oneLine folds an error of another package into one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Alarms are those that a member can raise.
var Alarms = []string{pb.AlarmType_NOSPACE.String(), pb.AlarmType_CORRUPT.String()}

// AlarmFix says what to do about the alarms that a text names, or nothing where it
// names none.
func AlarmFix(text string) string {
	var fixes []string
	if strings.Contains(text, pb.AlarmType_NOSPACE.String()) {
		fixes = append(fixes, "delete what is not needed, or raise --etcd-arg quota-backend-bytes; then khw-controller etcd defrag --clear-alarms")
	}
	if strings.Contains(text, pb.AlarmType_CORRUPT.String()) {
		fixes = append(fixes, "remove the member, and add it anew with an empty data directory")
	}
	return strings.Join(fixes, "; ")
}

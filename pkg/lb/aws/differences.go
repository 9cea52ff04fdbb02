// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"strconv"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// field is one property, as it is and as it should be.
type field struct{ name, is, want string }

func differences(fields ...field) []lb.Change {
	var changes []lb.Change
	for _, f := range fields {
		if f.is != f.want {
			changes = append(changes, lb.Change{Field: f.name, Old: f.is, New: f.want})
		}
	}
	return changes
}

// number leaves out what is not set: no field of those that are compared is 0.
func number(n int32) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(int(n))
}

// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

// IsSetHere reports whether a user has set, or given up, the flag of a row.
func IsSetHere(r lab.Row) bool {
	switch r.Source {
	case "", lab.FromLab, lab.FromAdded, FromEmbeddedEtcd:
		return false
	}
	return !profile.IsSource(r.Source) && r.Status != lab.Replaced
}

// SetHere lists the components' flags that a user has set, as component --name=value.
func (p *Plan) SetHere() []string {
	set := []string{}
	for _, r := range lab.Rows(p.Flags, p.Dropped) {
		if IsSetHere(r) {
			set = append(set, fmt.Sprintf("%s %s", r.Component, r.Arg()))
		}
	}
	return set
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/status"
)

// certificates lists the certificates in force, of each file the one that expires
// first, and the soonest at the top. Files without any, such as a bare public key,
// are passed over; unreadable ones are for preflight to tell.
func certificates(p *plan.Plan) []status.Certificate {
	all, _, err := certs.List(p)
	if err != nil {
		return nil
	}
	var out []status.Certificate
	for _, c := range certs.Soonest(all) {
		out = append(out, status.Certificate{Path: c.Path, Subject: c.CommonName, NotAfter: c.NotAfter})
	}
	return out
}

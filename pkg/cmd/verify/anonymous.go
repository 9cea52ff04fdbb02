// SPDX-License-Identifier: Apache-2.0

package verify

import "github.com/khw-controller/khw-controller/pkg/plan"

// versionPath is what the lab asks for without credentials.
const versionPath = "/version"

// noAnonymous returns the setting for which the apiserver refuses who asks for its
// version without credentials, or "".
func noAnonymous(p *plan.Plan) (string, error) {
	a, err := p.Anonymous()
	if err != nil || a.Allows(versionPath) {
		return "", err
	}
	return a.Because, nil
}

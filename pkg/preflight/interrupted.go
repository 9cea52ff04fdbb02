// SPDX-License-Identifier: Apache-2.0

package preflight

import "github.com/khw-controller/khw-controller/pkg/paths"

// checkInterrupted finds that the lab's files are half of what they are to be. A
// start finishes that before it looks at them; so nothing is evaluated here.
func checkInterrupted(in input) []Finding {
	if !in.ChangeInterrupted() {
		return nil
	}
	return warning(in.Path(paths.Change), "a change of the lab's files was interrupted",
		"run finishes it before it starts, and so does: khw-controller certs renew")
}

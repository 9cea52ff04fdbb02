// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"
)

// CheckSkew refuses a version of Kubernetes that this one cannot follow: what is
// stored, and the other controllers, bear one minor release at a time
// (https://kubernetes.io/releases/version-skew-policy/).
func CheckSkew(theirs, ours string) error {
	before, err := version.ParseGeneric(theirs)
	if err != nil {
		return fmt.Errorf("the version of kube-apiserver, %q, cannot be read: %w", theirs, err)
	}
	after, err := version.ParseGeneric(ours)
	if err != nil {
		return fmt.Errorf("this program's version, %q, cannot be read: %w", ours, err)
	}
	if d := int(after.Minor()) - int(before.Minor()); before.Major() == after.Major() && (d == 0 || d == 1) {
		return nil
	}
	return fmt.Errorf("kube-apiserver here is v%s, and this is v%s: Kubernetes is upgraded by one minor release at a time, and never back; "+
		"bring this cluster to v%d.%d first, or use the khw-controller of v%d.%d", before, after, after.Major(), after.Minor(), before.Major(), before.Minor())
}

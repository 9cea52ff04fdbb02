// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"context"

	"github.com/khw-controller/khw-controller/pkg/election"
)

// Evaluate does with a command line what [Manager.Run] does before it contends
// for its lease, without opening its port and without asking anybody anything. It
// is for a process of its own, as that of the apiserver.
func Evaluate(ctx context.Context, argv []string) error {
	// Later flags beat earlier ones.
	o, err := Parse(append(argv[:len(argv):len(argv)], "--secure-port=0", "--authentication-skip-lookup=true"))
	if err != nil {
		return err
	}
	c, err := o.configure(ctx, nil)
	if err != nil {
		return err
	}
	return election.Validate(c.ComponentConfig.Generic.LeaderElection)
}

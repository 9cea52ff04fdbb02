// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"context"

	"github.com/khw-controller/khw-controller/pkg/election"
)

// Evaluate does with a command line what [Scheduler.Run] does before it contends
// for its lease, and makes a scheduler, which knows its plugins; it opens no port
// and asks nobody anything. It is for a process of its own, as that of the
// apiserver.
func Evaluate(ctx context.Context, argv []string) error {
	// Later flags beat earlier ones. Making its event broadcaster asks the apiserver
	// which events it knows: here, a port where nobody listens.
	o, err := Parse(append(argv[:len(argv):len(argv)], "--secure-port=0", "--authentication-skip-lookup=true", "--master=https://127.0.0.1:1"))
	if err != nil {
		return err
	}
	c, err := New(o, nil).configure(ctx)
	if err != nil {
		return err
	}
	if err := election.Validate(c.ComponentConfig.LeaderElection); err != nil {
		return err
	}
	completed := c.Complete()
	_, err = newScheduler(ctx, &completed)
	return err
}

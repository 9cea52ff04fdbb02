// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"os/exec"
	"time"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// RemoveControlGroups has directories of control groups removed, with what is below
// them, when the test is over and who was in them is dead.
func RemoveControlGroups(e *harness.Env, groups []string) {
	e.Cleanup(func() { removeControlGroups(e, groups) })
}

func removeControlGroups(e *harness.Env, groups []string) {
	// The test's own context is over by now.
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	for _, group := range groups {
		if err := process.WaitFor(ctx, time.Second, "the control group "+group+" to be empty", func(ctx context.Context) error {
			return exec.CommandContext(ctx, "find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run()
		}); err != nil {
			e.Error(err)
		}
	}
}

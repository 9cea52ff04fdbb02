// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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

// MemoryGroup is a control group whose processes have so much memory and no more.
type MemoryGroup struct {
	*harness.Env
	dir string
	// The files that say how much it had at most, and how many processes were killed.
	peak, kills string
}

// NewMemoryGroup makes one with a limit in bytes.
func NewMemoryGroup(e *harness.Env, name string, limit int64) *MemoryGroup {
	e.Helper()
	g := &MemoryGroup{Env: e, peak: "memory.peak", kills: "memory.events"}
	root, file := "/sys/fs/cgroup", "memory.max"
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		e.Must(os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+memory"), 0))
	} else { // version 1
		root, file = filepath.Join(root, "memory"), "memory.limit_in_bytes"
		g.peak, g.kills = "memory.max_usage_in_bytes", "memory.oom_control"
	}
	g.dir = filepath.Join(root, filepath.Base(e.Dir)+"-"+name)
	e.Must(os.Mkdir(g.dir, 0o755))
	RemoveControlGroups(e, []string{g.dir})
	e.Must(os.WriteFile(filepath.Join(g.dir, file), []byte(strconv.FormatInt(limit, 10)), 0))
	return g
}

// Under is the command by which a process is started in it.
func (g *MemoryGroup) Under() []string {
	return []string{"/bin/sh", "-ec", `echo $$ >"$0"; exec "$@"`, filepath.Join(g.dir, "cgroup.procs")}
}

// Peak is how much memory its processes have had at most, in bytes.
func (g *MemoryGroup) Peak() int64 {
	g.Helper()
	n, err := strconv.ParseInt(g.read(g.peak), 10, 64)
	g.Must(err)
	return n
}

// Kills is how many of its processes the kernel has killed.
func (g *MemoryGroup) Kills() int {
	g.Helper()
	for line := range strings.Lines(g.read(g.kills)) {
		var n int
		if _, err := fmt.Sscanf(line, "oom_kill %d", &n); err == nil {
			return n
		}
	}
	g.Fatalf("%s does not say how many processes were killed", g.kills)
	return 0
}

func (g *MemoryGroup) read(file string) string {
	g.Helper()
	data, err := os.ReadFile(filepath.Join(g.dir, file))
	g.Must(err)
	return strings.TrimSpace(string(data))
}

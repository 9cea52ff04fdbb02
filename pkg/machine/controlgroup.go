// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// ControlGroupRoots are where systemd has its control groups of version 2: the
// only ones there, or beside those of version 1.
var ControlGroupRoots = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}

// ControlGroupLimit returns the lowest value that a file of the process' control
// group has, or of one above it, and whether there is any limit (cgroups(7), version
// 2; version 1 sets none that systemd knows). In fsys is everything below /.
func ControlGroupLimit(fsys fs.FS, file string) (lowest uint64, limited bool) {
	data, err := fs.ReadFile(fsys, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		for ; ok; group = path.Dir(group) {
			for _, root := range ControlGroupRoots {
				text, err := fs.ReadFile(fsys, path.Join(root[1:], group, file))
				limit, isNumber := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
				if err == nil && isNumber == nil && (!limited || limit < lowest) {
					lowest, limited = limit, true
				}
			}
			if group == "" || group == "." {
				break
			}
		}
	}
	return lowest, limited
}

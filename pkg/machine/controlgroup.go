// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ControlGroupRoots are where systemd has its control groups of version 2: the
// only ones there, or beside those of version 1.
var ControlGroupRoots = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}

// unlimited is from where on a number is none: version 1 says as many pages as can be
// counted in bytes, and has no word for it.
const unlimited = 1 << 62

// ofVersion1 are the files of version 1 that systemd writes in place of those of version
// 2, and the controller whose hierarchy they are in.
var ofVersion1 = map[string]struct{ controller, file string }{
	"memory.max": {"memory", "memory.limit_in_bytes"},
	"pids.max":   {"pids", "pids.max"},
}

// ControlGroupLimit returns the lowest value that a file of the process' control
// group has, or of one above it, and whether there is any limit (cgroups(7)). The file
// is one of version 2; what version 1 has for it counts too. In fsys is everything
// below /.
func ControlGroupLimit(fsys fs.FS, file string) (lowest uint64, limited bool) {
	data, err := fs.ReadFile(fsys, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	before, hasBefore := ofVersion1[file]
	for line := range strings.Lines(string(data)) {
		// A number, controllers, and the group; version 2 has no controllers.
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		roots, name := ControlGroupRoots, file
		if fields[1] != "" {
			if !hasBefore || !slices.Contains(strings.Split(fields[1], ","), before.controller) {
				continue
			}
			roots, name = []string{path.Join(ControlGroupRoots[0], fields[1])}, before.file
		}
		for group := path.Clean("/" + fields[2]); ; group = path.Dir(group) {
			for _, root := range roots {
				text, err := fs.ReadFile(fsys, path.Join(root, group, name)[1:])
				limit, isNumber := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
				if err == nil && isNumber == nil && limit < unlimited && (!limited || limit < lowest) {
					lowest, limited = limit, true
				}
			}
			if group == "/" {
				break
			}
		}
	}
	return lowest, limited
}

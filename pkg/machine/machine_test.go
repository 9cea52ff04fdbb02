// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestSize(t *testing.T) {
	const unit, v1 = "sys/fs/cgroup/system.slice/khw-controller.service/", "sys/fs/cgroup/memory/"
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text + "\n")} }
	for name, test := range map[string]struct {
		files         fstest.MapFS
		limit, usable uint64
	}{
		"no limit":           {fstest.MapFS{unit + "memory.max": file("max"), unit + "memory.high": file("max")}, 0, 948 << 20},
		"no control groups":  {fstest.MapFS{}, 0, 948 << 20},
		"MemoryMax":          {fstest.MapFS{unit + "memory.max": file("734003200"), unit + "memory.high": file("max")}, 700 << 20, 700 << 20},
		"MemoryHigh":         {fstest.MapFS{unit + "memory.max": file("734003200"), unit + "memory.high": file("629145600")}, 600 << 20, 600 << 20},
		"of what is above":   {fstest.MapFS{unit + "memory.max": file("734003200"), "sys/fs/cgroup/system.slice/memory.high": file("524288000")}, 500 << 20, 500 << 20},
		"more than there is": {fstest.MapFS{unit + "memory.max": file("8589934592")}, 8 << 30, 948 << 20},
		"version 1": {fstest.MapFS{v1 + "system.slice/khw-controller.service/memory.limit_in_bytes": file("734003200"),
			v1 + "memory.limit_in_bytes": file("9223372036854771712")}, 700 << 20, 700 << 20},
		"none of version 1": {fstest.MapFS{v1 + "system.slice/khw-controller.service/memory.limit_in_bytes": file("9223372036854771712"),
			"sys/fs/cgroup/cpu,cpuacct/system.slice/khw-controller.service/memory.limit_in_bytes": file("734003200")}, 0, 948 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			groups := "0::/system.slice/khw-controller.service"
			if strings.Contains(name, "version 1") {
				groups = "4:memory:/system.slice/khw-controller.service\n3:cpu,cpuacct:/system.slice/khw-controller.service\n0::/"
			}
			test.files["proc/self/cgroup"] = file(groups)
			test.files["proc/meminfo"] = file("MemTotal:         970752 kB\nMemFree:          100000 kB")
			s := read(test.files, 1)
			if s.CPUs != 1 || s.Memory != 948<<20 || s.Limit != test.limit || s.Usable() != test.usable {
				t.Errorf("got %+v, of which %d are usable", s, s.Usable())
			}
		})
	}
	if s := read(fstest.MapFS{}, 4); s.Memory != 0 || s.Usable() != 0 {
		t.Errorf("without /proc: %+v", s)
	}
	if s := Here(); s.CPUs < 1 || s.Memory < 64<<20 {
		t.Errorf("this machine is %+v", s)
	}
}

func TestGoLimit(t *testing.T) {
	for allowed, want := range map[uint64]int64{
		128 << 20: 256 << 20, 416 << 20: 256 << 20, 700 << 20: 540 << 20, 1 << 30: 864 << 20, 10 << 30: 9 << 30,
	} {
		if got := GoLimit(allowed); got != want {
			t.Errorf("within %d MiB: %d MiB, want %d", allowed>>20, got>>20, want>>20)
		}
	}
}

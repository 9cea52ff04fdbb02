// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// mounted is a directory on a file system of its own.
func mounted(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, options)
	if errors.Is(err, unix.EPERM) {
		t.Skip("this user may not mount")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes to a directory until nothing fits any more.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "full"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 1<<16))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

// use makes files until their file system has no inode left.
func use(t *testing.T, dir string) {
	t.Helper()
	for i := 0; ; i++ {
		err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600)
		if errors.Is(err, unix.ENOSPC) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRoomIsTheSameForAStartAndForOneThatRuns(t *testing.T) {
	in, _ := sound(t)
	for name, test := range map[string]struct {
		options string
		use     func(*testing.T, string)
		says    string // "" for nothing
	}{
		"enough":           {"size=300m", func(*testing.T, string) {}, ""},
		"too little":       {"size=90m", func(*testing.T, string) {}, "has 90 MB of free disk space, and at least 100 MB are needed"},
		"full":             {"size=300m", fill, "has 0 MB of free disk space, and at least 100 MB are needed"},
		"no inode is free": {"size=300m,nr_inodes=200", use, "has inodes for 0 more files, and at least 64 are needed"},
	} {
		t.Run(name, func(t *testing.T) {
			in.Etcd.Dir = mounted(t, test.options)
			test.use(t, in.Etcd.Dir)
			start := checkDir(plan.Dir{Path: in.Etcd.Dir, Need: in.Dirs()[len(in.Dirs())-1].Need})
			running := Cramped(in.Plan)
			if test.says == "" {
				if len(start) > 0 || len(running) > 0 {
					t.Errorf("got %v, %q", start, running)
				}
				return
			}
			if len(start) != 1 || !start[0].IsError() || start[0].Problem[:len(test.says)] != test.says {
				t.Errorf("a start finds %v, want %q", start, test.says)
			}
			if len(running) != 1 || !strings.HasPrefix(running[0], in.Etcd.Dir+": "+test.says) || !strings.Contains(running[0], "; when it is full, etcd ends, and the control plane with it; ") {
				t.Errorf("one that runs finds %q, want %q", running, test.says)
			}
		})
	}
}

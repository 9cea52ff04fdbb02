// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	release = "bookworm"
	// packages are what a small server has, and rpm for the packages of that name.
	packages = "systemd,systemd-sysv,dbus,iproute2,curl,ca-certificates,rpm,man-db"
)

// Debian returns the directory of a Debian system with more packages than its minimum.
// It is made once per user and kept, which takes a minute and the network.
func Debian(packages string) (dir string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "khw-e2e")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	dir = filepath.Join(cache, release+"-"+strings.ReplaceAll(packages, ",", "-"))
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return dir, err
	}
	// Under another name until it is whole.
	half := dir + ".half"
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	cmd := exec.Command("debootstrap", "--variant=minbase", "--include="+packages, release, half)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("debootstrap: %w: %s", err, tail(out))
	}
	return dir, os.Rename(half, dir)
}

func tail(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

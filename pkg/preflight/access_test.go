// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/pki"
)

// nobody is a user without any rights.
const nobody = 65534

// asNobody calls f on a thread that belongs to nobody where the tests are
// root's, to whom everything is open; otherwise as the tests' own user.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
			// Raw: the system call of that name in Go's packages changes every thread.
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
				done <- errno
				return
			}
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// open makes a directory passable up to the root.
func open(t *testing.T, dir string) {
	t.Helper()
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAccessNamesTheFilesAndOneCommand(t *testing.T) {
	me := strconv.Itoa(os.Geteuid())
	if os.Geteuid() == 0 {
		me = "nobody"
	} else {
		me = userName()
	}
	chmod := func(mode os.FileMode, paths ...string) {
		for _, p := range paths {
			if err := os.Chmod(p, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := map[string]struct {
		spoil func(in *input, f pki.Files)
		want  func(f pki.Files) string
	}{
		"nothing": {
			func(in *input, _ pki.Files) { chmod(0o777, filepath.Dir(in.Files.CA)) },
			func(pki.Files) string { return "" },
		},
		"keys of root's": {
			func(in *input, f pki.Files) { chmod(0o777, filepath.Dir(in.Files.CA)); chmod(0, f.CAKey, f.Key) },
			func(f pki.Files) string {
				return f.CAKey + ", " + f.Key + ": not open to the user " + me + ", who has to read and write there; " +
					"give them to this user: chown -R " + me + ": " + f.CAKey + " " + f.Key
			},
		},
		"a directory of root's with keys of root's": {
			func(in *input, f pki.Files) { chmod(0, f.CAKey, f.Key); chmod(0o555, filepath.Dir(in.Files.CA)) },
			func(f pki.Files) string {
				dir := filepath.Dir(f.CA)
				return dir + ": not open to the user " + me + ", who has to read and write there; give them to this user: chown -R " + me + ": " + dir
			},
		},
		"an audit log among others' logs": {
			func(in *input, _ pki.Files) {
				chmod(0o777, filepath.Dir(in.Files.CA))
				in.AuditLog.Path = "/proc/sys/audit.log"
			},
			func(pki.Files) string {
				return "/proc/sys: cannot be written to by the user " + me + "; point --kube-apiserver-arg audit-log-path to a directory that this user may write to"
			},
		},
		"a directory that cannot be made": {
			func(in *input, _ pki.Files) {
				chmod(0o777, filepath.Dir(in.Files.CA))
				in.Etcd.Dir = "/proc/sys/etcd"
			},
			func(pki.Files) string {
				return "/proc/sys/etcd: cannot be made by the user " + me + "; make it: install -d -m 0700 -o " + me + " /proc/sys/etcd"
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in, f := sound(t)
			dir := filepath.Dir(f.CA)
			open(t, dir)
			in.Etcd.Dir, in.AuditLog.Path = t.TempDir(), filepath.Join(t.TempDir(), "audit.log")
			for _, d := range []string{in.Etcd.Dir, filepath.Dir(in.AuditLog.Path)} {
				open(t, d)
				chmod(0o777, d)
			}
			chmod(0o644, f.Required()...)
			test.spoil(&in, f)
			defer chmod(0o755, dir)
			var lines []string
			asNobody(t, func() {
				for _, found := range checkAccess(in) {
					lines = append(lines, found.String())
				}
			})
			if got, want := strings.Join(lines, "\n"), test.want(f); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func TestWhatIsDeniedIsNotEvaluatedTwice(t *testing.T) {
	in, f := sound(t)
	dir := filepath.Dir(f.CA)
	open(t, dir)
	in.Etcd.Dir, in.AuditLog.Path = dir, filepath.Join(dir, "audit.log")
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(f.CAKey, 0); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		if found := in.check(t.Context()); len(found) != 1 {
			t.Errorf("%d findings, want 1: %v", len(found), found)
		}
	})
}

func TestOutermost(t *testing.T) {
	got := outermost([]string{"/a/b/c", "/a/bc", "/a/b", "/a/b", "/d"})
	if want := "/a/b /a/bc /d"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

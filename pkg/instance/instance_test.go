// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func acquire(t *testing.T, path string) *Lock {
	t.Helper()
	l, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOneHolderAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made/on/the/way/lock")
	before := time.Now()
	l := acquire(t, path)
	after := time.Now()
	_, err := Acquire(path)
	if err == nil || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names the file and the process", err)
	}
	info, locked, err := Holder(path)
	if err != nil || !locked || info.PID != os.Getpid() || !info.Ended.IsZero() {
		t.Errorf("holder: %+v, %v, %v", info, locked, err)
	}
	if info.Started.Before(before.Round(0)) || info.Started.After(after) {
		t.Errorf("it started at %s, not between %s and %s", info.Started, before, after)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if info, locked, err := Holder(path); err != nil || locked || info.Ended.Before(info.Started) {
		t.Errorf("after Close: %+v, %v, %v", info, locked, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("the lock file: %v, %v", info.Mode(), err)
	}
}

func TestPreviousTellsAnOrderlyEndFromAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first := acquire(t, path)
	if p, unclean := first.Previous(); unclean {
		t.Errorf("the very first has a previous one: %+v", p)
	}
	if err := first.file.Close(); err != nil { // as the kernel does after a kill
		t.Fatal(err)
	}
	second := acquire(t, path)
	if p, unclean := second.Previous(); !unclean || p.PID != os.Getpid() {
		t.Errorf("a killed holder is not noticed: %+v, %v", p, unclean)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	third := acquire(t, path)
	if p, unclean := third.Previous(); unclean {
		t.Errorf("an orderly end is taken for another: %+v", p)
	}
	// What it writes is shorter than what stood there.
	if info, locked, err := Holder(path); err != nil || !locked || info.PID != os.Getpid() || !info.Ended.IsZero() {
		t.Errorf("the third holder: %+v, %v, %v", info, locked, err)
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestHolderChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if info, locked, err := Holder(path); err != nil || locked || info.PID != 0 {
		t.Errorf("holder: %+v, %v, %v", info, locked, err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file was made: %v", err)
	}
}

func TestWhoOnlyAsksIsNotTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := acquire(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	asking, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer asking.Close()
	if err := unix.Flock(int(asking.Fd()), unix.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	if _, locked, err := Holder(path); err != nil || locked {
		t.Errorf("another who asks is taken for the holder: %v, %v", locked, err)
	}
}

func TestADamagedLockFileIsNoObstacle(t *testing.T) {
	for _, content := range []string{"", "{}", `{"pid": 0}`, `{"pid": "gar`, `{"pid": 5, "started": "soon"}`} {
		path := filepath.Join(t.TempDir(), "lock")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		l := acquire(t, path)
		if p, unclean := l.Previous(); unclean {
			t.Errorf("%q is taken for a holder: %+v", content, p)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheErrorOfAnEndIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for _, test := range []struct {
		err  error
		want string
	}{
		{errors.New("etcd: no space\nleft on device"), "etcd: no space left on device"},
		{nil, ""}, // the last end counts
		{errors.New(strings.Repeat("ä", 5000)), strings.Repeat("ä", maxError/2)},
	} {
		l := acquire(t, path)
		l.Failed(test.err)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if info, _, err := Holder(path); err != nil || info.Error != test.want || info.Ended.IsZero() {
			t.Errorf("%.40v: got %+v, %v", test.err, info, err)
		}
	}
}

func TestThePredecessorIsOneThatHasEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first := acquire(t, path)
	if first.ID() == "" || first.Predecessor() != "" {
		t.Errorf("the first is %q, after %q", first.ID(), first.Predecessor())
	}
	if err := first.file.Close(); err != nil { // as the kernel does after a kill
		t.Fatal(err)
	}
	second := acquire(t, path)
	if second.ID() == first.ID() || second.Predecessor() != first.ID() {
		t.Errorf("%q comes after %q, not %q", second.ID(), second.Predecessor(), first.ID())
	}
	// On a copy of the machine, the holder may go on where it was.
	second.info.Boot = "of another kernel"
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	third := acquire(t, path)
	if third.Predecessor() != "" {
		t.Errorf("%q has a predecessor on another kernel: %q", third.ID(), third.Predecessor())
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
}

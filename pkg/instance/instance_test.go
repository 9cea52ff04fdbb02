// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
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
	l := acquire(t, path)
	_, err := Acquire(path)
	if err == nil || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names the file and the process", err)
	}
	if info, held, err := Holder(path); err != nil || !held || info.PID != os.Getpid() {
		t.Errorf("holder: %+v, %v, %v", info, held, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, held, err := Holder(path); err != nil || held {
		t.Errorf("still held after Close: %v, %v", held, err)
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
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestHolderChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if _, held, err := Holder(path); err != nil || held {
		t.Errorf("held %v, %v", held, err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file was made: %v", err)
	}
}

func TestADamagedLockFileIsNoObstacle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(path, []byte(`{"pid": "gar`), 0o600); err != nil {
		t.Fatal(err)
	}
	l := acquire(t, path)
	if _, unclean := l.Previous(); unclean {
		t.Error("garbage is taken for a holder")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

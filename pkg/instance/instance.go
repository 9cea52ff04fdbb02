// SPDX-License-Identifier: Apache-2.0

// Package instance sees to it that one process runs on a root at a time, and
// remembers whether the last one ended in order.
package instance

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Info is what the lock file says of its last holder.
type Info struct {
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	// ID is the process's own, among all there ever were, and Boot that of the kernel
	// (/proc/sys/kernel/random/boot_id), both empty where they are not known.
	ID   string `json:"id,omitempty"`
	Boot string `json:"boot,omitempty"`
	// Ended is when the holder said it was done; zero while it runs, and for
	// ever when it was killed, crashed, or left through os.Exit.
	Ended time.Time `json:"ended,omitzero"`
	// Error is with what the holder ended, in one line; empty after an orderly stop.
	Error string `json:"error,omitempty"`
}

// Lock is the hold on a root.
type Lock struct {
	file     *os.File
	info     Info
	previous *Info
}

// Acquire takes the lock file at path, making it with mode 0600 where there is
// none. It fails at once when another process has it.
func Acquire(path string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		info, _ := read(f)
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, InUse(path, info)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	l := &Lock{file: f, info: Info{PID: os.Getpid(), Started: time.Now(), ID: rand.Text(), Boot: boot()}}
	if info, err := read(f); err == nil && info.PID != 0 {
		l.previous = &info
	}
	if err := l.write(); err != nil {
		f.Close()
		return nil, err
	}
	return l, nil
}

// InUse is the error for a lock that another process has.
func InUse(path string, holder Info) error {
	return fmt.Errorf("%s: another khw-controller, process %d, runs on this root; stop it or choose another --root", path, holder.PID)
}

// Previous returns the holder before this one, when it did not end in order.
func (l *Lock) Previous() (Info, bool) {
	if l.previous == nil || !l.previous.Ended.IsZero() {
		return Info{}, false
	}
	return *l.previous, true
}

// ID returns what tells this process from all others.
func (l *Lock) ID() string { return l.info.ID }

// Predecessor returns the ID of a process that is known to have ended: the holder
// before this one, on the same kernel. Of another kernel it may be that of a machine that
// this one is a copy of. It is empty where nothing is known.
func (l *Lock) Predecessor() string {
	if l.previous == nil || l.info.Boot == "" || l.previous.Boot != l.info.Boot {
		return ""
	}
	return l.previous.ID
}

// boot returns which start of the kernel this is.
func boot() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // then it is not known
	return strings.TrimSpace(string(id))
}

// maxError bounds what the file keeps of an error, in bytes.
const maxError = 1 << 10

// Failed has Close record an end with err, unless that is nil.
func (l *Lock) Failed(err error) {
	if err != nil {
		text := strings.Join(strings.Fields(err.Error()), " ")
		l.info.Error = strings.ToValidUTF8(text[:min(len(text), maxError)], "")
	}
}

// Close records an orderly end and gives the lock back.
func (l *Lock) Close() error {
	l.info.Ended = time.Now()
	return errors.Join(l.write(), l.file.Close())
}

// Holder returns who holds the lock at path, or else held it last; nobody has where
// the returned Info has no PID. It changes nothing.
func Holder(path string) (info Info, locked bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return Info{}, false, nil
	}
	if err != nil {
		return Info{}, false, err
	}
	defer f.Close()
	locked = errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
	info, _ = read(f) // one that is just being made is empty
	return info, locked, nil
}

func read(f *os.File) (info Info, err error) {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	if err != nil {
		return Info{}, err
	}
	err = json.Unmarshal(data, &info)
	return info, err
}

func (l *Lock) write() error {
	data, err := json.Marshal(l.info)
	if err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = l.file.WriteAt(append(data, '\n'), 0)
	return err
}

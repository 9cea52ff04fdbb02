// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
)

// State is how far an adoption is.
type State string

// The states.
const (
	Written  State = "written"  // khw-controller.yaml is there, and nothing else is changed
	Adopting State = "adopting" // was begun, and not ended
	Adopted  State = "adopted"
	Undoing  State = "undoing" // is gone back from, and that has not ended
)

// Record is what was there before and what has been changed: all that an undo needs.
// It is on disk before each change.
type Record struct {
	At    time.Time `json:"at"`
	State State     `json:"state"`
	// Steps are those that were begun, in order.
	Steps []string `json:"steps"`
	// Config is the file that was written.
	Config ConfigFile `json:"config"`
	// Units are the lab's units, nginx's and our own as they were.
	Units []UnitState `json:"units"`
	// Health is what is done with nginx, and Sites are the links that this takes away.
	Health Action `json:"health,omitempty"`
	Sites  []Site `json:"sites,omitempty"`
	// Owners are the files that were given to the service's user.
	Owners []Owner `json:"owners,omitempty"`
	// Made are files of the service's own that were not there.
	Made []string `json:"made,omitempty"`
	// Failing are the steps of the verification that failed before.
	Failing []string `json:"failing,omitempty"`
	// ConfigFirst tells that the file was written by a call of its own, so that an
	// adoption that goes back leaves it.
	ConfigFirst bool `json:"configFirst,omitempty"`
}

// ConfigFile is khw-controller.yaml as it was written.
type ConfigFile struct {
	Path string `json:"path"`
	// Content is what is to be in it, and Sum the checksum of what was written.
	Content string `json:"content"`
	Sum     string `json:"sum,omitempty"`
	// Replaced is where the package's own file is kept.
	Replaced string `json:"replaced,omitempty"`
}

// UnitState is how a unit was.
type UnitState struct {
	Name    string `json:"name"`
	Active  string `json:"active"`
	Enabled string `json:"enabled"`
}

// Site is a link to one of nginx's sites.
type Site struct {
	Path   string `json:"path"`
	Target string `json:"target"`
}

// Owner is whom a file belonged to.
type Owner struct {
	Path string `json:"path"`
	UID  int    `json:"uid"`
}

// unit returns how a unit was; the zero value for one that was not there.
func (r *Record) unit(name string) UnitState {
	if i := slices.IndexFunc(r.Units, func(u UnitState) bool { return u.Name == name }); i >= 0 {
		return r.Units[i]
	}
	return UnitState{}
}

// Store is where the Record is kept: a directory of root's.
type Store struct{ Dir string }

func (s Store) record() string { return filepath.Join(s.Dir, "record.json") }
func (s Store) change() string { return filepath.Join(s.Dir, "record.change") }

// Lock keeps a second adoption away until it is given back.
func (s Store) Lock() (unlock func(), err error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(s.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: another khw-controller adopt runs here; wait for its end", s.Dir)
	}
	return func() {
		f.Close()
		if _, err := os.Lstat(s.record()); errors.Is(err, fs.ErrNotExist) {
			os.RemoveAll(s.Dir)
		}
	}, nil
}

// Load returns the record, or nil where nothing was adopted. It must not be
// anybody's but this user's: what it says is done.
func (s Store) Load() (*Record, error) {
	if _, err := atomicfiles.Finish(s.change()); err != nil {
		return nil, err
	}
	info, err := os.Lstat(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var at unix.Stat_t
	if err == nil {
		err = unix.Lstat(s.Dir, &at)
	}
	if err != nil {
		return nil, err
	}
	if int(at.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 || !info.IsDir() {
		return nil, fmt.Errorf("%s: is not a directory that this user alone may write to, so what it says cannot be trusted", s.Dir)
	}
	data, err := os.ReadFile(s.record())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", s.record(), err)
	}
	return r, nil
}

// Save puts the record on disk.
func (s Store) Save(r *Record) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = os.Lstat(s.record())
	there := err == nil
	return atomicfiles.Write(s.change(), []atomicfiles.File{
		{Path: s.record(), Mode: 0o600, Data: append(data, '\n'), Replace: there, Discard: there},
	}, time.Now())
}

// Remove forgets it.
func (s Store) Remove() error {
	err := os.Remove(s.record())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, atomicfiles.SyncDir(s.Dir))
}

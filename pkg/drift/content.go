// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// content is what a file holds, without keeping it: half of these files are keys.
type content struct {
	signature signature
	sum       [sha256.Size]byte
	absent    bool
	reason    string    // why it cannot be read, or empty
	at        time.Time // of its last change
	settled   bool      // the signature is another one after the next change
}

// signature is what stat(2) says of a file, and says otherwise once it was
// written to or another has its name.
type signature struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
	mode         uint32
}

// settling is how long a file can change again without its times saying so: file
// systems round them, the coarsest in use to 2 s.
const settling = 2 * time.Second

// look returns what a file holds now; before is what it held when it was last
// looked at.
func look(path string, before content, now time.Time) content {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return unreadable(err)
	}
	s := signature{st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim, st.Mode}
	if before.settled && before.signature == s {
		return before
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return unreadable(err)
	}
	// Its name and its content both count: mv(1) keeps the time of the content.
	at := time.Unix(st.Ctim.Unix())
	return content{signature: s, sum: sha256.Sum256(data), at: at, settled: now.Sub(at) > settling}
}

func unreadable(err error) content {
	if errors.Is(err, fs.ErrNotExist) {
		return content{absent: true}
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return content{reason: err.Error()}
}

func (c content) equal(d content) bool {
	return c.sum == d.sum && c.absent == d.absent && c.reason == d.reason
}

// state says how c differs from what was loaded.
func (c content) state(loaded content) State {
	switch {
	case c.absent:
		return Gone
	case c.reason != "":
		return Unreadable
	case loaded.absent:
		return Added
	}
	return Replaced
}

// Fingerprint identifies the content of several files.
type Fingerprint [sha256.Size]byte

func fingerprint(all map[string]content) Fingerprint {
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(all)) {
		c := all[path]
		fmt.Fprintf(h, "%q %x %t %q\n", path, c.sum, c.absent, c.reason)
	}
	return Fingerprint(h.Sum(nil))
}

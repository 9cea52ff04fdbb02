// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// document is a file that exists in memory only, for components that insist on
// reading a file: nothing is left behind and nothing needs a writable directory.
type document struct {
	// fd stays open on purpose, and out of reach of a finalizer.
	fd int
}

func inMemory(name string, data []byte) (document, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return document{}, fmt.Errorf("making %s in memory: %w", name, err)
	}
	d := document{fd}
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil {
			d.close()
			return document{}, fmt.Errorf("making %s in memory: %w", name, err)
		}
		data = data[n:]
	}
	return d, nil
}

// path is where the document is read, until it is closed.
func (d document) path() string { return fmt.Sprintf("/proc/self/fd/%d", d.fd) }

func (d document) close() { _ = unix.Close(d.fd) }

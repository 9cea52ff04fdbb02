// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// inMemory makes a file that exists in memory only, for components that insist
// on reading a file: nothing is left behind and nothing needs a writable
// directory. It returns the path, which is good for as long as the process
// lives.
func inMemory(name string, data []byte) (path string, err error) {
	// The descriptor stays open on purpose, and out of reach of a finalizer.
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return "", fmt.Errorf("making %s in memory: %w", name, err)
	}
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil {
			return "", fmt.Errorf("making %s in memory: %w", name, err)
		}
		data = data[n:]
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), nil
}

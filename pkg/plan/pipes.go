// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"io/fs"
	"os"
)

// refusePipes refuses named pipes among the files that are read: every reader of one
// waits for somebody to write, and what the first has read the next does not get. A
// shell's <(command) is one.
func (p *Plan) refusePipes() error {
	files := p.Read()
	for _, u := range p.Uses() {
		files = append(files, File{Flag: u.By + " --" + u.Flag, Path: u.Path})
	}
	for _, f := range files {
		if isPipe(f.Path) {
			return errPipe(f.String())
		}
	}
	return nil
}

// readFile is os.ReadFile for what is read before refusePipes: it refuses a named pipe
// instead of waiting for who writes.
func readFile(path string) ([]byte, error) {
	if isPipe(path) {
		return nil, errPipe(path)
	}
	return os.ReadFile(path)
}

func errPipe(file string) error {
	return fmt.Errorf("%s is a named pipe, and it is read more than once; put a file there", file)
}

// isPipe reports whether a path leads to a named pipe. What else is wrong with a file
// the checks tell.
func isPipe(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"archive/tar"
	"io"
	"time"

	"github.com/khw-controller/khw-controller/pkg/pki"
)

// WriteTar writes the files of a new bundle as an archive, with modes and names as
// they are in a directory.
func (b *Bundle) WriteTar(w io.Writer, now time.Time) error {
	t := tar.NewWriter(w)
	for _, f := range pki.Changed(b.Changes) {
		err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Path, Mode: int64(f.Mode), Size: int64(len(f.Data)), ModTime: now.Truncate(time.Second)})
		if err != nil {
			return err
		}
		if _, err := t.Write(f.Data); err != nil {
			return err
		}
	}
	return t.Close()
}

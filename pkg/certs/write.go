// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/inventory"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// replacement is a new content of a file; where there is a link, of what it leads
// to.
func replacement(path string, data []byte) (atomicfiles.File, error) {
	target, err := filepath.EvalSymlinks(path)
	return atomicfiles.File{Path: target, Data: data, Replace: true}, err
}

// write puts all files in place or none, and keeps the inventory of what this
// program has made: what was that is it still, and so is what is new beside it.
func write(p *plan.Plan, made inventory.Inventory, all []atomicfiles.File, now time.Time) error {
	seen := map[string]bool{}
	for _, f := range all {
		// Two certificates may have one key.
		if seen[f.Path] {
			return fmt.Errorf("%s: is of two certificates; give each a file and a key of its own", f.Path)
		}
		seen[f.Path] = true
	}
	path := p.Path(paths.Inventory)
	// The date in the names of what is kept is that of the journal, too.
	now = atomicfiles.Unused(append(all, atomicfiles.File{Path: path}), now)
	before := len(made)
	for _, f := range all {
		if f.Replace && made.Has(f.Path) {
			made = made.Replace(f.Path, f.Data, atomicfiles.Backup(f.Path, now))
		}
	}
	if len(made) > before {
		for _, f := range all {
			if !f.Replace {
				made = append(made, inventory.File(f.Path, f.Data))
			}
		}
		all = append(all, atomicfiles.File{Path: path, Mode: 0o600, Data: made.Bytes(), Replace: true, Discard: true})
	}
	return atomicfiles.Write(p.Path(paths.Change), all, now)
}

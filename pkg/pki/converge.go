// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
)

// Action is what becomes of a file.
type Action string

// The actions.
const (
	Make  Action = "make"
	Renew Action = "renew" // a certificate with its key; the old ones are kept beside
	Edit  Action = "edit"  // the old one is kept beside
	Keep  Action = "keep"
)

// Change is what becomes of one file, and its new content, if any.
type Change struct {
	Action Action `json:"action"`
	Path   string `json:"path"`
	// Why says why a file that is there changes.
	Why string `json:"why,omitempty"`

	file atomicfiles.File
}

// NewChange returns a change of a file.
func NewChange(a Action, f atomicfiles.File, why string) Change {
	f.Replace = a == Renew || a == Edit
	return Change{Action: a, Path: f.Path, Why: why, file: f}
}

// Changed returns the files to write.
func Changed(changes []Change) []atomicfiles.File {
	var files []atomicfiles.File
	for _, c := range changes {
		if c.Action != Keep {
			files = append(files, c.file)
		}
	}
	return files
}

// Files returns all files of a controller of the cluster, to be made; what is there
// is not looked at.
func (c *Cluster) Files(f Files, spec Spec, now time.Time) ([]Change, error) {
	var out output
	out.shared(f, c)
	out.controller(f, spec, c.authority, now)
	return made(out.files), out.err
}

func made(files []atomicfiles.File) []Change {
	changes := make([]Change, len(files))
	for i, f := range files {
		changes[i] = NewChange(Make, f, "")
	}
	return changes
}

// Converge returns what makes f the files of a controller of the cluster for which
// spec holds: what is missing is made, a certificate that lacks a name or an address
// is renewed with it, and all else is kept. What is there of another cluster is an
// error. It writes nothing.
func (c *Cluster) Converge(f Files, spec Spec, now time.Time) ([]Change, error) {
	var common, own output
	common.shared(f, c)
	own.kubeconfigs(f, spec, c.authority, now)
	var changes []Change
	for _, file := range common.files {
		data, err := os.ReadFile(file.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			changes = append(changes, NewChange(Make, file, ""))
		case err != nil:
			return nil, err
		case !bytes.Equal(data, file.Data):
			return nil, fmt.Errorf("%s is of another cluster than %s; use another directory", file.Path, f.CA)
		default:
			changes = append(changes, NewChange(Keep, file, ""))
		}
	}
	serving, err := c.convergeServing(f, spec, now)
	if err != nil {
		return nil, err
	}
	changes = append(changes, serving...)
	if own.err != nil {
		return nil, own.err
	}
	for _, file := range own.files {
		change, err := c.convergeKubeconfig(file)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// kubeconfigs makes those that are not there; those that are stay without content.
func (o *output) kubeconfigs(f Files, spec Spec, ca *Authority, now time.Time) {
	for _, u := range f.users() {
		if _, err := os.Lstat(u.path); err == nil {
			o.add(u.path, private, nil)
			continue
		}
		o.kubeconfig(u, spec, ca, now)
	}
}

func (c *Cluster) convergeKubeconfig(file atomicfiles.File) (Change, error) {
	if file.Data != nil {
		return NewChange(Make, file, ""), nil
	}
	data, err := os.ReadFile(file.Path)
	if err != nil {
		return Change{}, err
	}
	k, err := parseKubeconfig(data)
	if err != nil {
		return Change{}, fmt.Errorf("%s: %w", file.Path, err)
	}
	if len(k.chain) > 0 && !c.authority.signed(k.chain[0]) {
		return Change{}, fmt.Errorf("%s: its certificate (%s) is not signed by this cluster's CA; use another directory", file.Path, k.chain[0].Subject.CommonName)
	}
	return NewChange(Keep, file, ""), nil
}

// convergeServing makes the serving certificate, or renews it with what it lacks.
func (c *Cluster) convergeServing(f Files, spec Spec, now time.Time) ([]Change, error) {
	certData, err := os.ReadFile(f.Cert)
	if errors.Is(err, fs.ErrNotExist) {
		var out output
		if out.serving(f, spec, c.authority, now); out.err != nil {
			return nil, out.err
		}
		return made(out.files), nil
	}
	if err != nil {
		return nil, err
	}
	keyData, err := os.ReadFile(f.Key)
	if err != nil {
		return nil, fmt.Errorf("the key of %s: %w; put it back", f.Cert, err)
	}
	chain, err := parsePair(certData, keyData)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Cert, err)
	}
	cert, key := atomicfiles.File{Path: f.Cert, Mode: public}, atomicfiles.File{Path: f.Key, Mode: private}
	lacking := slices.DeleteFunc(spec.hosts(), func(host string) bool { return chain[0].VerifyHostname(host) == nil })
	if !c.authority.signed(chain[0]) {
		return nil, fmt.Errorf("%s is not signed by this cluster's CA; use another directory", f.Cert)
	}
	if len(lacking) == 0 {
		return []Change{NewChange(Keep, cert, ""), NewChange(Keep, key, "")}, nil
	}
	if cert.Data, key.Data, err = c.authority.renew(chain, lacking, now); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Cert, err)
	}
	why := "it does not name " + strings.Join(lacking, ", ")
	return []Change{NewChange(Renew, cert, why), NewChange(Renew, key, why)}, nil
}

// list names some files.
func list(paths []string) string {
	slices.Sort(paths)
	if len(paths) == 1 {
		return paths[0] + " is"
	}
	return strings.Join(paths, ", ") + " are"
}

// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/controllers"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
)

// existing is what is in a bundle's directory.
type existing struct {
	dir     string
	perNode bool
	// cluster is nil where there is none yet.
	cluster     *pki.Cluster
	controllers controllers.List
	// ranges are the service ranges in the config file.
	ranges []string
	// public are the names and addresses that all certificates are for.
	public []string
}

// controllersKey is the key of the config file with the list of controllers, profileKey
// that with the profiles, and serviceRange the flag of two components with the service
// range.
const (
	controllersKey = "controllers"
	profileKey     = "profile"
	serviceRange   = "service-cluster-ip-range"
)

// read reads the bundle in dir.
func read(dir string, perNode bool) (*existing, error) {
	there := &existing{dir: dir, perNode: perNode}
	if dir == "" {
		return there, nil
	}
	flat, nodes, err := look(dir)
	if err != nil {
		return nil, err
	}
	switch {
	case flat && perNode:
		return nil, fmt.Errorf("--out-per-node: %s holds one bundle for all controllers; leave the flag out to add to it, or use another directory", dir)
	case len(nodes) > 0 && !perNode:
		return nil, fmt.Errorf("%s holds a bundle for each controller; add to it with --out-per-node, or use another directory", dir)
	case flat:
		return there, there.read(dir)
	case len(nodes) > 0:
		return there, there.read(filepath.Join(dir, nodes[0]))
	}
	return there, nil
}

// Exists reports whether there is a bundle in dir, finished or not.
func Exists(dir string) bool {
	flat, nodes, err := look(dir)
	return err != nil || flat || len(nodes) > 0 || atomicfiles.Interrupted(journal(dir))
}

// look says whether dir holds a bundle for all, or names the controllers that it
// holds one each for.
func look(dir string) (flat bool, nodes []string, err error) {
	if holdsFiles(dir) {
		flat = true
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil, nil
	}
	for _, e := range entries {
		if e.IsDir() && holdsFiles(filepath.Join(dir, e.Name())) {
			nodes = append(nodes, e.Name())
		}
	}
	return flat, nodes, err
}

// holdsFiles reports whether some of the lab's files are in dir.
func holdsFiles(dir string) bool {
	for _, path := range pki.FilesIn(dir).Required() {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return false
}

// read reads the files of one controller, or of all.
func (e *existing) read(dir string) error {
	f := pki.FilesIn(dir)
	var err error
	if e.cluster, err = pki.ReadCluster(f); err != nil {
		return err
	}
	path := configIn(dir)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing: which controllers is this bundle for? Put it back, or begin in an empty directory", path)
	}
	if err != nil {
		return err
	}
	values, err := config.Read(path, data)
	if err != nil {
		return err
	}
	if e.controllers, err = parseControllers(values); err != nil {
		return fmt.Errorf("%s: %s: %w", path, controllersKey, err)
	}
	for _, v := range values[string(lab.APIServer)+"-arg"] {
		if a := lab.ParseArg(v); a.Name == serviceRange {
			e.ranges = append(e.ranges, a.Value)
		}
	}
	e.public, err = pki.Hosts(f.Cert)
	return err
}

// parseControllers reads the list of controllers in a config file.
func parseControllers(values map[string][]string) (controllers.List, error) {
	var items []string
	for _, v := range values[controllersKey] {
		items = append(items, strings.Split(v, ",")...)
	}
	return controllers.Parse(items)
}

// serviceRange returns the service range of the bundle.
func (e *existing) serviceRange(wanted string) (string, error) {
	switch {
	case len(e.ranges) > 0 && wanted != "" && wanted != e.ranges[len(e.ranges)-1]:
		return "", fmt.Errorf("--service-cluster-ip-range %s: the bundle in %s is for %s; a cluster keeps its range", wanted, e.dir, e.ranges[len(e.ranges)-1])
	case len(e.ranges) > 0:
		return e.ranges[len(e.ranges)-1], nil
	case e.cluster != nil && wanted != "" && wanted != LabServiceRange():
		return "", fmt.Errorf("--service-cluster-ip-range %s: the bundle in %s is for %s; a cluster keeps its range", wanted, e.dir, LabServiceRange())
	case wanted != "":
		return wanted, nil
	}
	return LabServiceRange(), nil
}

// LabServiceRange is the lab's service range.
func LabServiceRange() string { return lab.Value(lab.APIServer, serviceRange) }

func configIn(dir string) string { return filepath.Join(dir, filepath.Base(string(paths.Config))) }

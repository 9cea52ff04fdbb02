// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/controllers"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/pki"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

// node is a directory of a bundle, and the controllers that it is for: one, or all.
type node struct {
	dir string
	of  controllers.List
	all controllers.List
}

func (e *existing) nodes(all controllers.List) []node {
	if !e.perNode {
		return []node{{e.dir, all, all}}
	}
	var nodes []node
	for _, c := range all {
		nodes = append(nodes, node{filepath.Join(e.dir, c.Name), controllers.List{c}, all})
	}
	return nodes
}

// converge returns what makes the directory what r wants.
func (n node) converge(cluster *pki.Cluster, r Request, there *existing, now time.Time) ([]pki.Change, error) {
	spec, err := n.spec(r, there)
	if err != nil {
		return nil, err
	}
	converge := cluster.Converge
	if r.Dir == "" {
		converge = cluster.Files
	}
	changes, err := converge(pki.FilesIn(n.dir), spec, now)
	if err != nil {
		return nil, err
	}
	change, err := n.config(r)
	if err != nil {
		return nil, err
	}
	return append(changes, change), nil
}

// spec says whom the certificates are for. What the certificates of a bundle are
// for that are no controllers' is public.
func (n node) spec(r Request, there *existing) (pki.Spec, error) {
	ip, err := pki.ServiceIP(r.ServiceRange)
	if err != nil {
		return pki.Spec{}, err
	}
	others := func(host string) bool {
		return slices.ContainsFunc(n.all, func(c controllers.Controller) bool { return host == c.Name || host == c.Address.String() })
	}
	spec := pki.Spec{
		ServiceIP: ip, ServerPort: apiServerPort, KeyAlgorithm: r.KeyAlgorithm,
		Hosts: slices.Concat(slices.DeleteFunc(slices.Clone(there.public), others), r.PublicAddresses),
	}
	for _, c := range n.of {
		spec.Hosts = append(spec.Hosts, c.Name, c.Address.String())
	}
	return spec, nil
}

// config returns what becomes of the config file: the one that the packages
// install, with the list of controllers and the profiles.
func (n node) config(r Request) (pki.Change, error) {
	path := configIn(n.dir)
	old, err := os.ReadFile(path)
	action := pki.Edit
	if r.Dir == "" || errors.Is(err, fs.ErrNotExist) {
		action = pki.Make
		old, err = example(r.ServiceRange)
	}
	if err != nil {
		return pki.Change{}, err
	}
	listed, err := withControllers(path, old, n.all)
	if err != nil {
		return pki.Change{}, err
	}
	data, err := withProfiles(path, listed, r.Profiles)
	if err != nil {
		return pki.Change{}, err
	}
	why := ""
	switch {
	case action == pki.Make:
	case bytes.Equal(old, data):
		action = pki.Keep
	case bytes.Equal(old, listed):
		why = "it has another profile"
	default:
		why = "it lists other controllers"
	}
	return pki.NewChange(action, atomicfiles.File{Path: path, Mode: 0o644, Data: data}, why), nil
}

// example is the config file that the packages install, for a service range.
func example(ranges string) ([]byte, error) {
	data := config.Example()
	if ranges == LabServiceRange() {
		return data, nil
	}
	for _, c := range []lab.Component{lab.APIServer, lab.ControllerManager} {
		key := string(c) + "-arg"
		values, err := config.Read("", data)
		if err != nil {
			return nil, err
		}
		if data, err = config.Edit("", data, key, append(values[key], serviceRange+"="+ranges)); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// withControllers sets the list of controllers, unless it says the same in other
// words.
func withControllers(path string, data []byte, all controllers.List) ([]byte, error) {
	values, err := config.Read(path, data)
	if err != nil {
		return nil, err
	}
	items := make([]string, len(all))
	for i, c := range all {
		items[i] = c.String()
	}
	if listed, err := parseControllers(values); err == nil && listed.String() == all.String() {
		return data, nil
	}
	return config.Edit(path, data, controllersKey, items)
}

// withProfiles sets the profiles, where some are wanted.
func withProfiles(path string, data []byte, wanted []string) ([]byte, error) {
	values, err := config.Read(path, data)
	if err != nil || len(wanted) == 0 {
		return data, err
	}
	if named, err := profile.Parse(strings.Join(values[profileKey], ",")); err == nil && slices.Equal(named, wanted) {
		return data, nil
	}
	return config.Edit(path, data, profileKey, wanted)
}

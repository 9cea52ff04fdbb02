// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// Controller is what was understood of a controller made by hand.
type Controller struct {
	// Units are the lab's three, in its order.
	Units []Unit `json:"units"`
	// Nginx is the unit that answers health checks, where there is one, and Health how.
	Nginx  *Unit  `json:"nginx,omitempty"`
	Health Health `json:"health"`
	// Etcd is the member that runs here, where there is one; it is left alone.
	Etcd *Unit `json:"etcd,omitempty"`
	// Values are the settings that differ from the lab's, and Notices what does not
	// come along.
	Values  []Value  `json:"values"`
	Notices []string `json:"notices,omitempty"`
	// Missing are the files that a flag names and that are not there.
	Missing []string `json:"missing,omitempty"`
	// Config is khw-controller.yaml.
	Config []byte `json:"-"`
}

// Read understands a controller of whose units source knows, with its files below a
// root. It changes nothing.
func Read(ctx context.Context, source Source, root string) (*Controller, error) {
	c := &Controller{}
	byComponent := map[lab.Component]Unit{}
	var missing []string
	for _, component := range lab.Components() {
		u, err := source.Unit(ctx, unitOf(component))
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, unitOf(component))
			continue
		}
		if err == nil {
			err = u.read(root)
		}
		if err == nil && filepath.Base(u.Program) != string(component) {
			err = fmt.Errorf("%s: ExecStart runs %s and not %s, whose flags are wanted", u.where(), u.Program, component)
		}
		if err != nil {
			return nil, err
		}
		c.Units = append(c.Units, u)
		byComponent[component] = u
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: not found; this controller is not made as in the lab, chapter 08", strings.Join(missing, ", "))
	}
	if err := c.readNeighbours(ctx, source, root); err != nil {
		return nil, err
	}
	configured, err := configure(byComponent, c.Health)
	if err != nil {
		return nil, err
	}
	c.Values, c.Notices = configured.sorted(), configured.notices
	c.Missing = c.missing(root)
	c.Config, err = render(c.Values, c.Units)
	return c, err
}

// readNeighbours looks at nginx and etcd.
func (c *Controller) readNeighbours(ctx context.Context, source Source, root string) error {
	nginx, err := source.Unit(ctx, nginxUnit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case nginx.Active == "" || nginx.Active == "active":
		if c.Health, err = readHealth(root); err != nil {
			return err
		}
		c.Nginx = &nginx
	}
	etcd, err := source.Unit(ctx, etcdUnit)
	if err == nil {
		c.Etcd = &etcd
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// missing are the files that a unit's flags name and that are not there. What a
// component makes by itself is not among them.
func (c *Controller) missing(root string) []string {
	var all []string
	for _, u := range c.Units {
		for _, word := range u.argv {
			name, path, _ := strings.Cut(word, "=")
			read := strings.HasSuffix(name, "-file") || strings.HasSuffix(name, "cafile") || strings.HasSuffix(name, "kubeconfig") || strings.HasSuffix(name, "-config")
			if !read || !filepath.IsAbs(path) {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, path)); errors.Is(err, fs.ErrNotExist) {
				all = append(all, fmt.Sprintf("%s (%s of %s)", path, name, u.Name))
			}
		}
	}
	return all
}

// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"google.golang.org/api/compute/v1"
)

// controllers finds instances by name in all zones: the controllers, and what else
// is behind the load balancer. gcloud asks which zone was meant, and takes a
// stopped instance.
type controllers struct {
	*client
	cfg Config

	named map[string][]instance // of each name that was looked for
}

// forget has the next look read anew: instances start and stop.
func (c *controllers) forget() { c.named = nil }

// look reads the instances of the controllers' names, and of more, once.
func (c *controllers) look(ctx context.Context, more ...string) error {
	var names []string
	for _, name := range append(slices.Clone(c.cfg.Instances), more...) {
		if _, known := c.named[name]; !known && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	found, err := c.list(ctx, names)
	if err != nil {
		return err
	}
	if c.named == nil {
		c.named = map[string][]instance{}
	}
	for _, name := range names {
		c.named[name] = found[name]
		slices.SortFunc(c.named[name], func(a, b instance) int { return strings.Compare(a.zone, b.zone) })
	}
	return nil
}

func (c *controllers) list(ctx context.Context, names []string) (map[string][]instance, error) {
	all := map[string][]instance{}
	for token := ""; ; {
		page, err := call(ctx, c.client, "instances.aggregatedList", func(ctx context.Context) (*compute.InstanceAggregatedList, error) {
			return c.Service.Instances.AggregatedList(c.project).Filter(named(names...)).PageToken(token).Context(ctx).Do()
		})
		if err != nil {
			return nil, err
		}
		for _, scope := range page.Items {
			for _, found := range scope.Instances {
				all[found.Name] = append(all[found.Name], describe(found))
			}
		}
		if token = page.NextPageToken; token == "" {
			return all, nil
		}
	}
}

// named is the filter of a list for these names.
func named(names ...string) string {
	var terms []string
	for _, n := range names {
		terms = append(terms, fmt.Sprintf("(name = %q)", n))
	}
	return strings.Join(terms, " OR ")
}

// find returns the one that runs in the region and on the network, or what is
// wrong.
func (c *controllers) find(name string) (instance, string) {
	candidates := slices.DeleteFunc(slices.Clone(c.named[name]), func(i instance) bool {
		return i.status != running || i.network != c.cfg.Network || regionOf(i.zone) != c.region
	})
	switch others := c.named[name]; {
	case len(candidates) == 1:
		return candidates[0], ""
	case len(candidates) > 1:
		return instance{}, fmt.Sprintf("%d running instances have this name: %s; stop or rename all but one", len(candidates), list(candidates))
	case len(others) > 0:
		return instance{}, fmt.Sprintf("no instance of this name runs in %s on network %s, only elsewhere or not at all: %s; start the right one, correct --region or --network, or leave it out of --instances", c.region, c.cfg.Network, list(others))
	}
	return instance{}, fmt.Sprintf("no instance has this name; make one in %s on network %s (lab chapter 3), or leave it out of --instances", c.region, c.cfg.Network)
}

// tails are those of the controllers that were found, by name.
func (c *controllers) tails() map[string]string {
	all := map[string]string{}
	for _, name := range c.cfg.Instances {
		if i, problem := c.find(name); problem == "" {
			all[name] = i.tail()
		}
	}
	return all
}

// unmanaged are the tails that are no controller's.
func (c *controllers) unmanaged(registered []string) []string {
	known := c.tails()
	return slices.DeleteFunc(slices.Clone(registered), func(tail string) bool {
		return known[path.Base(tail)] == tail
	})
}

// isController reports whether a tail is of one of the controllers' names.
func (c *controllers) isController(tail string) bool {
	return slices.Contains(c.cfg.Instances, path.Base(tail))
}

// of returns the instance of a tail, and reports whether there is one.
func (c *controllers) of(tail string) (instance, bool) {
	for _, i := range c.named[path.Base(tail)] {
		if i.tail() == tail {
			return i, true
		}
	}
	return instance{}, false
}

// stateOf is the state of what a tail stands for, in the service's word.
func (c *controllers) stateOf(tail string) string {
	if i, there := c.of(tail); there {
		return i.status
	}
	return gone
}

// zones are those of the region that have a controller or, from an earlier run, a
// group for one.
func (c *controllers) zones(ctx context.Context) ([]string, error) {
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	var zones []string
	for _, t := range c.tails() {
		zones = append(zones, zone(t))
	}
	for token := ""; ; {
		page, err := call(ctx, c.client, "instanceGroups.aggregatedList", func(ctx context.Context) (*compute.InstanceGroupAggregatedList, error) {
			return c.Service.InstanceGroups.AggregatedList(c.project).Filter(named(c.cfg.InstanceGroup)).PageToken(token).Context(ctx).Do()
		})
		if err != nil {
			return nil, err
		}
		for _, scope := range page.Items {
			for _, g := range scope.InstanceGroups {
				if g.Zone != "" && regionOf(g.Zone) == c.region {
					zones = append(zones, path.Base(g.Zone))
				}
			}
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	slices.Sort(zones)
	return slices.Compact(zones), nil
}

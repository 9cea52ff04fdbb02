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

// controllers finds the instances by name in all zones. gcloud asks which zone
// was meant, and takes a stopped instance.
type controllers struct {
	*client
	cfg Config

	looked bool
	named  map[string][]instance
}

type instance struct{ name, zone, network, status string }

func (i instance) tail() string { return "zones/" + i.zone + "/instances/" + i.name }

func (i instance) String() string {
	return fmt.Sprintf("%s (%s, network %s)", i.zone, i.status, i.network)
}

// look reads all instances of these names once.
func (c *controllers) look(ctx context.Context) error {
	if c.looked {
		return nil
	}
	c.named = map[string][]instance{}
	for token := ""; ; {
		page, err := call(ctx, c.client, func(ctx context.Context) (*compute.InstanceAggregatedList, error) {
			return c.Service.Instances.AggregatedList(c.project).Filter(named(c.cfg.Instances...)).PageToken(token).Context(ctx).Do()
		})
		if err != nil {
			return err
		}
		for _, scope := range page.Items {
			for _, found := range scope.Instances {
				i := describe(found)
				c.named[i.name] = append(c.named[i.name], i)
			}
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	for _, all := range c.named {
		slices.SortFunc(all, func(a, b instance) int { return strings.Compare(a.zone, b.zone) })
	}
	c.looked = true
	return nil
}

// named is the filter of a list for these names.
func named(names ...string) string {
	var terms []string
	for _, n := range names {
		terms = append(terms, fmt.Sprintf("(name = %q)", n))
	}
	return strings.Join(terms, " OR ")
}

// describe takes the network of the first interface: the one that a passthrough
// load balancer sends to.
func describe(found *compute.Instance) instance {
	i := instance{name: found.Name, zone: path.Base(found.Zone), status: found.Status, network: "none"}
	if len(found.NetworkInterfaces) > 0 {
		i.network = path.Base(found.NetworkInterfaces[0].Network)
	}
	return i
}

// find returns the one that runs in the region and on the network, or what is
// wrong.
func (c *controllers) find(name string) (instance, string) {
	candidates := slices.DeleteFunc(slices.Clone(c.named[name]), func(i instance) bool {
		return i.status != "RUNNING" || i.network != c.cfg.Network || regionOf(i.zone) != c.region
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

func list(all []instance) string {
	var said []string
	for _, i := range all {
		said = append(said, i.String())
	}
	return strings.Join(said, ", ")
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

// zones are those of the region that have a controller or, from an earlier run, a
// group for one.
func (c *controllers) zones(ctx context.Context) ([]string, error) {
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	var zones []string
	for _, t := range c.tails() {
		zones = append(zones, strings.Split(t, "/")[1])
	}
	for token := ""; ; {
		page, err := call(ctx, c.client, func(ctx context.Context) (*compute.InstanceGroupAggregatedList, error) {
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

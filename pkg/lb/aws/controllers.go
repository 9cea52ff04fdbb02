// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// controllers finds the instances by their tag Name. The lab's query takes every
// instance of that name, a terminated one and a second one included.
type controllers struct {
	*account
	vpc   *vpc
	names []string
	prune bool

	looked bool
	named  map[string][]instance
	// known are all that were asked for, by their IDs.
	known map[string]instance
}

// look reads all instances of these names once. Those that are gone or going
// count for nothing.
func (c *controllers) look(ctx context.Context) error {
	if c.looked {
		return nil
	}
	c.named, c.known = map[string][]instance{}, map[string]instance{}
	err := c.describe(ctx, append(filters("tag:Name", c.names...), filters("instance-state-name", "pending", "running", "stopping", "stopped")...), func(i instance) {
		c.named[i.name] = append(c.named[i.name], i)
	})
	for _, all := range c.named {
		slices.SortFunc(all, func(a, b instance) int { return strings.Compare(a.id, b.id) })
	}
	c.looked = err == nil
	return err
}

// lookUp finds out about those of the registered that look did not find.
func (c *controllers) lookUp(ctx context.Context, registered []string) error {
	if err := c.look(ctx); err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(registered), func(id string) bool { _, known := c.known[id]; return known })
	if len(missing) == 0 {
		return nil
	}
	if err := c.describe(ctx, filters("instance-id", missing...), func(instance) {}); err != nil {
		return err
	}
	for _, id := range missing {
		if _, known := c.known[id]; !known {
			c.known[id] = instance{id: id, state: gone}
		}
	}
	return nil
}

func (c *controllers) describe(ctx context.Context, by []types.Filter, each func(instance)) error {
	pages := ec2.NewDescribeInstancesPaginator(c.ec2.DescribeInstances, &ec2.DescribeInstancesInput{Filters: by})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.Reservations {
			for _, found := range r.Instances {
				i := describe(found)
				c.known[i.id] = i
				each(i)
			}
		}
	}
	return nil
}

// running are the instances of a name that run in the VPC.
func (c *controllers) running(name string) []instance {
	return slices.DeleteFunc(slices.Clone(c.named[name]), func(i instance) bool { return !c.serves(i) })
}

func (c *controllers) serves(i instance) bool {
	return i.state == string(types.InstanceStateNameRunning) && i.vpc == c.vpc.id
}

// find returns the one that runs in the VPC, or what is wrong.
func (c *controllers) find(name string) (instance, string) {
	candidates := c.running(name)
	if len(candidates) == 1 {
		return candidates[0], ""
	}
	if len(candidates) > 1 {
		return instance{}, fmt.Sprintf("%d running instances of the VPC have this tag Name: %s; stop or rename all but one", len(candidates), list(candidates))
	}
	if others := c.named[name]; len(others) > 0 {
		return instance{}, fmt.Sprintf("no instance with this tag Name runs in %s, only elsewhere or not at all: %s; start the right one, or leave it out of --instances", c.vpc.id, list(others))
	}
	return instance{}, fmt.Sprintf("no instance has this tag Name; start one in %s (lab chapter 3), or leave it out of --instances", c.vpc.id)
}

// anyIn reports whether a controller is in one of these zones.
func (c *controllers) anyIn(zones []string) bool {
	return slices.ContainsFunc(c.names, func(name string) bool {
		i, problem := c.find(name)
		return problem == "" && slices.Contains(zones, i.zone)
	})
}

// id is the ID of the one that runs in the VPC, or "".
func (c *controllers) id(name string) string {
	i, _ := c.find(name)
	return i.id
}

// registeredAs are those of the registered that bear a name. lookUp was called.
func (c *controllers) registeredAs(name string, registered []string) []instance {
	var all []instance
	for _, id := range registered {
		if i := c.known[id]; i.name == name && !i.isGone() {
			all = append(all, i)
		}
	}
	return all
}

// isGone reports whether a registered instance has no more use: it is terminated,
// or another one runs under its name.
func (c *controllers) isGone(id string) bool {
	i := c.known[id]
	return i.isGone() || c.replacement(i) != ""
}

// replacement is the ID of the one controller that runs under the name of another
// instance, or "".
func (c *controllers) replacement(i instance) string {
	if !slices.Contains(c.names, i.name) || c.serves(i) {
		return ""
	}
	return c.id(i.name)
}

// others are those of the registered that are no controllers' and not gone.
func (c *controllers) others(registered []string) []instance {
	var all []instance
	for _, id := range registered {
		if i := c.known[id]; !c.isGone(id) && !slices.Contains(c.names, i.name) {
			all = append(all, i)
		}
	}
	return all
}

// unmanaged says which of the registered instances are none of the controllers.
func (c *controllers) unmanaged(ctx context.Context, registered []string) ([]string, error) {
	if err := c.lookUp(ctx, registered); err != nil {
		return nil, err
	}
	var said []string
	for _, id := range registered {
		i := c.known[id]
		switch replaced := c.replacement(i); {
		case c.isGone(id) && c.prune:
		case i.isGone():
			said = append(said, fmt.Sprintf("instance %s is registered; --prune takes it out", i.brief()))
		case replaced != "":
			said = append(said, fmt.Sprintf("instance %s is registered, and %s has taken its place; --prune takes it out", i.brief(), replaced))
		case !slices.Contains(c.names, i.name):
			said = append(said, fmt.Sprintf("instance %s is registered too", i.brief()))
		}
	}
	return said, nil
}

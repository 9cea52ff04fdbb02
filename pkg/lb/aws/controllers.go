// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// controllers finds the instances by their tag Name. The lab's query takes every
// instance of that name, a terminated one and a second one included.
type controllers struct {
	*account
	vpc   *vpc
	names []string

	looked bool
	named  map[string][]instance
}

type instance struct{ id, name, ip, state, vpc, zone string }

func (i instance) String() string {
	if i.ip == "" {
		return fmt.Sprintf("%s (%s, %s)", i.id, i.state, i.vpc)
	}
	return fmt.Sprintf("%s (%s, %s, %s)", i.id, i.ip, i.state, i.vpc)
}

// look reads all instances of these names once. Those that are gone or going
// count for nothing.
func (c *controllers) look(ctx context.Context) error {
	if c.looked {
		return nil
	}
	c.named = map[string][]instance{}
	pages := ec2.NewDescribeInstancesPaginator(c.ec2.DescribeInstances, &ec2.DescribeInstancesInput{Filters: []types.Filter{
		filter("tag:Name", c.names...),
		filter("instance-state-name", "pending", "running", "stopping", "stopped"),
	}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.Reservations {
			for _, found := range r.Instances {
				i := describe(found)
				c.named[i.name] = append(c.named[i.name], i)
			}
		}
	}
	for _, all := range c.named {
		slices.SortFunc(all, func(a, b instance) int { return strings.Compare(a.id, b.id) })
	}
	c.looked = true
	return nil
}

func describe(found types.Instance) instance {
	i := instance{
		id:   awssdk.ToString(found.InstanceId),
		name: tag(found.Tags, "Name"),
		ip:   awssdk.ToString(found.PrivateIpAddress),
		vpc:  awssdk.ToString(found.VpcId),
	}
	if found.State != nil {
		i.state = string(found.State.Name)
	}
	if found.Placement != nil {
		i.zone = awssdk.ToString(found.Placement.AvailabilityZone)
	}
	return i
}

// running are the instances of a name that run in the VPC.
func (c *controllers) running(name string) []instance {
	return slices.DeleteFunc(slices.Clone(c.named[name]), func(i instance) bool {
		return i.state != string(types.InstanceStateNameRunning) || i.vpc != c.vpc.id
	})
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

// id is the ID of the one that runs in the VPC, or "".
func (c *controllers) id(name string) string {
	i, _ := c.find(name)
	return i.id
}

// unmanaged says which of the registered instances are none of the controllers.
func (c *controllers) unmanaged(ctx context.Context, registered []string) ([]string, error) {
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	known := map[string]string{}
	for _, name := range c.names {
		for _, i := range c.named[name] {
			known[i.id] = fmt.Sprintf(" (%s, %s)", name, i.state)
		}
	}
	for _, name := range c.names {
		for _, i := range c.running(name) {
			delete(known, i.id)
			registered = slices.DeleteFunc(slices.Clone(registered), func(id string) bool { return id == i.id })
		}
	}
	var said []string
	for _, id := range registered {
		said = append(said, fmt.Sprintf("instance %s%s is registered too", id, known[id]))
	}
	return said, nil
}

func list(instances []instance) string {
	var all []string
	for _, i := range instances {
		all = append(all, i.String())
	}
	return strings.Join(all, ", ")
}

// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// usage finds out what else needs a subnet or a security group of ours, such as
// the same cluster's balancer of the other type. A load balancer's network
// interfaces tell less than the balancer: it may have none for a while, and
// keeps them for a while after it was deleted.
type usage struct {
	*account
	cfg      Config
	balancer func() balancer

	asked bool
	// users are in words, by the IDs of the subnets and groups that they use.
	users map[string][]string
}

// ask reads all load balancers of the region once, without that of the Config
// unless a deletion keeps it.
func (u *usage) ask(ctx context.Context) error {
	if u.asked {
		return nil
	}
	u.users = map[string][]string{}
	if err := u.askClassic(ctx); err != nil {
		return err
	}
	pages := elbv2.NewDescribeLoadBalancersPaginator(u.elbv2, &elbv2.DescribeLoadBalancersInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, b := range page.LoadBalancers {
			uses := slices.Clone(b.SecurityGroups)
			for _, z := range b.AvailabilityZones {
				uses = append(uses, awssdk.ToString(z.SubnetId))
			}
			u.note(NLB, awssdk.ToString(b.LoadBalancerName), string(b.Type)+" load balancer", uses)
		}
	}
	u.asked = true
	return nil
}

func (u *usage) askClassic(ctx context.Context) error {
	pages := elb.NewDescribeLoadBalancersPaginator(u.elb, &elb.DescribeLoadBalancersInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, b := range page.LoadBalancerDescriptions {
			u.note(Classic, awssdk.ToString(b.LoadBalancerName), "classic load balancer", append(slices.Clone(b.SecurityGroups), b.Subnets...))
		}
	}
	return nil
}

func (u *usage) note(balancerType, name, kind string, uses []string) {
	if u.cfg.Type == balancerType && u.cfg.LoadBalancer == name && !u.balancer().kept() {
		return
	}
	for _, id := range uses {
		u.users[id] = append(u.users[id], kind+" "+name)
	}
}

// balancers says which other load balancers use something, or is "".
func (u *usage) balancers(ctx context.Context, id string) (string, error) {
	err := u.ask(ctx)
	if len(u.users[id]) == 0 {
		return "", err
	}
	return "in use by " + strings.Join(u.users[id], ", "), err
}

// all says what else uses something: load balancers, and network interfaces that
// match a filter for its ID.
func (u *usage) all(ctx context.Context, by, id string) (string, error) {
	if err := u.ask(ctx); err != nil {
		return "", err
	}
	users := slices.Clone(u.users[id])
	pages := ec2.NewDescribeNetworkInterfacesPaginator(u.ec2.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{Filters: filters(by, id)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, found := range page.NetworkInterfaces {
			description := awssdk.ToString(found.Description)
			switch {
			case strings.HasPrefix(description, "ELB "):
				// It is a load balancer's, which was asked.
			case found.Attachment != nil && found.Attachment.InstanceId != nil:
				users = append(users, "instance "+*found.Attachment.InstanceId)
			default:
				users = append(users, fmt.Sprintf("%s (%s)", awssdk.ToString(found.NetworkInterfaceId), description))
			}
		}
	}
	if len(users) == 0 {
		return "", nil
	}
	slices.Sort(users)
	return "in use by " + strings.Join(users, ", "), nil
}

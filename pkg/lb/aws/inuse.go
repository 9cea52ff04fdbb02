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

// users are the network interfaces that match a filter, in words, without those
// of the balancer of c: whatever else needs a subnet or a security group, such
// as the same cluster's balancer of the other type.
func (a *account) users(ctx context.Context, c Config, by types.Filter) ([]string, error) {
	var users []string
	pages := ec2.NewDescribeNetworkInterfacesPaginator(a.ec2.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{by}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, found := range page.NetworkInterfaces {
			description := awssdk.ToString(found.Description)
			switch {
			case c.uses(description):
			case found.Attachment != nil && found.Attachment.InstanceId != nil:
				users = append(users, "instance "+*found.Attachment.InstanceId)
			default:
				users = append(users, fmt.Sprintf("%s (%s)", awssdk.ToString(found.NetworkInterfaceId), description))
			}
		}
	}
	slices.Sort(users)
	return users, nil
}

// uses reports whether a network interface is the balancer's, by the description
// that AWS gives it.
func (c Config) uses(description string) bool {
	if c.Type == Classic {
		return description == "ELB "+c.LoadBalancer
	}
	return strings.HasPrefix(description, "ELB net/"+c.LoadBalancer+"/")
}

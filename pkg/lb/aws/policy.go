// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"encoding/json"
	"fmt"
	"strings"
)

// document is an IAM policy.
type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid      string
	Effect   string
	Action   []string
	Resource []string
}

// action is what IAM calls an operation of a service of the SDK.
func action(service, operation string) string {
	if service == "EC2" {
		return "ec2:" + operation
	}
	return "elasticloadbalancing:" + operation
}

// Policy is the least IAM policy with which this Config can be read and applied
// and, with deletion, undone.
func Policy(c Config, deletion bool) (string, error) {
	read := []string{"ec2:DescribeInstances", "ec2:DescribeVpcs", "elasticloadbalancing:DescribeLoadBalancers"}
	var network, write, undo, unmake []string
	if c.Create || c.Type == NLB {
		read = append(read, "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets")
	}
	if c.Create {
		read = append(read, "ec2:DescribeSecurityGroupRules")
		network = append(network, "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateTags")
		unmake = append(unmake, "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:RevokeSecurityGroupIngress")
	}
	if c.Type == NLB {
		read = append(read, "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeLoadBalancerAttributes",
			"elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth")
		write = append(write, "elasticloadbalancing:AddTags", "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer",
			"elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyLoadBalancerAttributes",
			"elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:RegisterTargets",
			"elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets")
		undo = append(undo, "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteLoadBalancer",
			"elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:DeregisterTargets")
	} else {
		read = append(read, "elasticloadbalancing:DescribeInstanceHealth")
		write = append(write, "elasticloadbalancing:ConfigureHealthCheck", "elasticloadbalancing:RegisterInstancesWithLoadBalancer")
		undo = append(undo, "elasticloadbalancing:DeregisterInstancesFromLoadBalancer")
		if c.Create {
			read = append(read, "elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeTags")
			write = append(write, "elasticloadbalancing:AddTags", "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer",
				"elasticloadbalancing:AttachLoadBalancerToSubnets", "elasticloadbalancing:CreateLoadBalancer",
				"elasticloadbalancing:CreateLoadBalancerListeners", "elasticloadbalancing:DeleteLoadBalancerListeners",
				"elasticloadbalancing:ModifyLoadBalancerAttributes")
			undo = append(undo, "elasticloadbalancing:DeleteLoadBalancer")
		}
	}
	if deletion {
		network, write = append(network, unmake...), append(write, undo...)
	}
	d := document{Version: "2012-10-17", Statement: []statement{
		{"Read", "Allow", read, []string{"*"}},
		{"LoadBalancer", "Allow", write, c.arns()},
	}}
	if len(network) > 0 {
		d.Statement = append(d.Statement, statement{"Network", "Allow", network, []string{"*"}})
	}
	text, err := json.MarshalIndent(d, "", "  ")
	return string(text), err
}

// arns are those of the load balancer and what belongs to it.
func (c Config) arns() []string {
	region, partition := c.Region, "aws"
	switch {
	case region == "":
		region = "*"
	case strings.HasPrefix(region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	prefix := fmt.Sprintf("arn:%s:elasticloadbalancing:%s:*:", partition, region)
	if c.Type == Classic {
		return []string{prefix + "loadbalancer/" + c.LoadBalancer}
	}
	return []string{
		prefix + "listener/net/" + c.LoadBalancer + "/*",
		prefix + "loadbalancer/net/" + c.LoadBalancer + "/*",
		prefix + "targetgroup/" + c.TargetGroup + "/*",
	}
}

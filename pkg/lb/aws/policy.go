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

// The statements of a policy.
const (
	onAnything    = "Read"
	onNetwork     = "Network"
	onBalancer    = "LoadBalancer"
	onServiceRole = "FirstLoadBalancerOfTheAccount"
)

// need says for which load balancers a permission is needed.
type need func(Config) bool

func always(Config) bool           { return true }
func creates(c Config) bool        { return c.Create }
func isClassic(c Config) bool      { return c.Type == Classic }
func isNLB(c Config) bool          { return c.Type == NLB }
func createsClassic(c Config) bool { return c.Create && c.Type == Classic }

// hasNetwork: it has subnets and a security group of its own.
func hasNetwork(c Config) bool { return c.Create || c.Type == NLB }

// permissions are all that this package may need, in the order of their
// statements. Those of undo are needed for a deletion only.
var permissions = []struct {
	sid, action string
	needed      need
	undo        bool
}{
	{onAnything, "ec2:DescribeInstances", always, false},
	{onAnything, "ec2:DescribeNetworkInterfaces", creates, false},
	{onAnything, "ec2:DescribeSecurityGroupRules", creates, false},
	{onAnything, "ec2:DescribeSecurityGroups", hasNetwork, false},
	{onAnything, "ec2:DescribeSubnets", hasNetwork, false},
	{onAnything, "ec2:DescribeVpcs", always, false},
	{onAnything, "elasticloadbalancing:DescribeInstanceHealth", isClassic, false},
	{onAnything, "elasticloadbalancing:DescribeListeners", isNLB, false},
	{onAnything, "elasticloadbalancing:DescribeLoadBalancerAttributes", hasNetwork, false},
	{onAnything, "elasticloadbalancing:DescribeLoadBalancers", always, false},
	{onAnything, "elasticloadbalancing:DescribeTags", hasNetwork, false},
	{onAnything, "elasticloadbalancing:DescribeTargetGroups", isNLB, false},
	{onAnything, "elasticloadbalancing:DescribeTargetHealth", isNLB, false},

	{onNetwork, "ec2:AuthorizeSecurityGroupIngress", creates, false},
	{onNetwork, "ec2:CreateSecurityGroup", creates, false},
	{onNetwork, "ec2:CreateSubnet", creates, false},
	{onNetwork, "ec2:CreateTags", creates, false}, // comes with what is created
	{onNetwork, "ec2:DeleteSecurityGroup", creates, true},
	{onNetwork, "ec2:DeleteSubnet", creates, true},
	{onNetwork, "ec2:RevokeSecurityGroupIngress", creates, true},

	{onBalancer, "elasticloadbalancing:AddTags", hasNetwork, false}, // comes with what is created
	{onBalancer, "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer", createsClassic, false},
	{onBalancer, "elasticloadbalancing:AttachLoadBalancerToSubnets", createsClassic, false},
	{onBalancer, "elasticloadbalancing:ConfigureHealthCheck", isClassic, false},
	{onBalancer, "elasticloadbalancing:CreateListener", isNLB, false},
	{onBalancer, "elasticloadbalancing:CreateLoadBalancer", hasNetwork, false},
	{onBalancer, "elasticloadbalancing:CreateLoadBalancerListeners", createsClassic, false},
	{onBalancer, "elasticloadbalancing:CreateTargetGroup", isNLB, false},
	{onBalancer, "elasticloadbalancing:DeleteListener", isNLB, true},
	{onBalancer, "elasticloadbalancing:DeleteLoadBalancer", hasNetwork, true},
	{onBalancer, "elasticloadbalancing:DeleteLoadBalancerListeners", createsClassic, false}, // to replace one
	{onBalancer, "elasticloadbalancing:DeleteTargetGroup", isNLB, true},
	{onBalancer, "elasticloadbalancing:DeregisterInstancesFromLoadBalancer", isClassic, true},
	{onBalancer, "elasticloadbalancing:DeregisterTargets", isNLB, true},
	{onBalancer, "elasticloadbalancing:ModifyListener", isNLB, false},
	{onBalancer, "elasticloadbalancing:ModifyLoadBalancerAttributes", hasNetwork, false},
	{onBalancer, "elasticloadbalancing:ModifyTargetGroup", isNLB, false},
	{onBalancer, "elasticloadbalancing:RegisterInstancesWithLoadBalancer", isClassic, false},
	{onBalancer, "elasticloadbalancing:RegisterTargets", isNLB, false},
	{onBalancer, "elasticloadbalancing:SetSecurityGroups", isNLB, false},
	{onBalancer, "elasticloadbalancing:SetSubnets", isNLB, false},

	// AWS makes the role of its own load balancing service with the first one:
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-service-linked-roles.html
	{onServiceRole, "iam:CreateServiceLinkedRole", hasNetwork, false},
}

// Policy is the least IAM policy with which this Config can be read and applied
// and, with deletion, undone.
func Policy(c Config, deletion bool) (string, error) {
	d := document{Version: "2012-10-17"}
	for _, p := range permissions {
		if !p.needed(c) || p.undo && !deletion {
			continue
		}
		if n := len(d.Statement); n == 0 || d.Statement[n-1].Sid != p.sid {
			d.Statement = append(d.Statement, statement{Sid: p.sid, Effect: "Allow", Resource: c.resources(p.sid)})
		}
		last := &d.Statement[len(d.Statement)-1]
		last.Action = append(last.Action, p.action)
	}
	text, err := json.MarshalIndent(d, "", "  ")
	return string(text), err
}

// resources are the ARNs that a statement is about.
func (c Config) resources(sid string) []string {
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
	switch {
	case sid == onServiceRole:
		return []string{fmt.Sprintf("arn:%s:iam::*:role/aws-service-role/elasticloadbalancing.amazonaws.com/*", partition)}
	case sid != onBalancer:
		return []string{"*"}
	case c.Type == Classic:
		return []string{prefix + "loadbalancer/" + c.LoadBalancer}
	}
	return []string{
		prefix + "listener/net/" + c.LoadBalancer + "/*",
		prefix + "loadbalancer/net/" + c.LoadBalancer + "/*",
		prefix + "targetgroup/" + c.TargetGroup + "/*",
	}
}

// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// document is an IAM policy.
type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

// action is what IAM calls an operation of a service of the SDK.
func action(service, operation string) string {
	if service == "EC2" {
		return "ec2:" + operation
	}
	return "elasticloadbalancing:" + operation
}

// The statements of a policy. What EC2 makes for this program has to bear its
// mark, and only what bears it can be removed; a security group of the user's is
// let alone but for rules, and these bear it too.
const (
	onAnything    = "Read"
	onMade        = "MakeMarked"
	inVPC         = "MakeInVPC"
	onRules       = "RulesMarked"
	onGroups      = "RulesOfGroups"
	onMarks       = "MarkWhatIsMade"
	onMarked      = "RemoveMarked"
	onBalancer    = "LoadBalancer"
	onServiceRole = "FirstLoadBalancerOfTheAccount"
)

// permission is one action in one statement.
type permission struct {
	sid, action string
	// needed reports for which load balancers, and for what a run does with them.
	needed func(c Config, use lb.Use) bool
}

// permissions are all that this package may need, in the order of their
// statements. Those after "for" are wanted by AWS itself, which asks in the
// caller's name:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html
var permissions = []permission{
	{onAnything, "ec2:DescribeAccountAttributes", all(change, network)}, // for CreateLoadBalancer
	{onAnything, "ec2:DescribeAddresses", all(change, nlb)},             // for CreateLoadBalancer
	{onAnything, "ec2:DescribeInstances", always},
	{onAnything, "ec2:DescribeInternetGateways", network},
	{onAnything, "ec2:DescribeNetworkInterfaces", all(create, deletion)},
	{onAnything, "ec2:DescribeSecurityGroupRules", create},
	{onAnything, "ec2:DescribeSecurityGroups", network},
	{onAnything, "ec2:DescribeSubnets", network},
	{onAnything, "ec2:DescribeVpcs", always},
	{onAnything, "elasticloadbalancing:DescribeInstanceHealth", all(classicType, health)},
	{onAnything, "elasticloadbalancing:DescribeListenerAttributes", all(nlb, idle)},
	{onAnything, "elasticloadbalancing:DescribeListeners", nlb},
	{onAnything, "elasticloadbalancing:DescribeLoadBalancerAttributes", attributes},
	{onAnything, "elasticloadbalancing:DescribeLoadBalancers", always},
	{onAnything, "elasticloadbalancing:DescribeTags", network},
	{onAnything, "elasticloadbalancing:DescribeTargetGroupAttributes", all(nlb, delay)},
	{onAnything, "elasticloadbalancing:DescribeTargetGroups", nlb},
	{onAnything, "elasticloadbalancing:DescribeTargetHealth", nlb},

	{onMade, "ec2:CreateSecurityGroup", all(making, create)},
	{onMade, "ec2:CreateSubnet", all(making, create)},
	{inVPC, "ec2:CreateSecurityGroup", all(making, create)},
	{inVPC, "ec2:CreateSubnet", all(making, create)},
	{onRules, "ec2:AuthorizeSecurityGroupIngress", all(making, create)},
	{onGroups, "ec2:AuthorizeSecurityGroupIngress", all(making, create)},
	{onGroups, "ec2:RevokeSecurityGroupIngress", all(change, create)},
	{onMarks, "ec2:CreateTags", all(making, create)}, // comes with what is created
	{onMarked, "ec2:DeleteSecurityGroup", all(removing, create)},
	{onMarked, "ec2:DeleteSubnet", all(removing, create)},
	{onMarked, "ec2:RevokeSecurityGroupIngress", all(change, create)},

	{onBalancer, "elasticloadbalancing:AddTags", all(making, network)}, // comes with what is created
	{onBalancer, "elasticloadbalancing:ApplySecurityGroupsToLoadBalancer", all(making, create, classicType)},
	{onBalancer, "elasticloadbalancing:AttachLoadBalancerToSubnets", all(making, create, classicType)},
	{onBalancer, "elasticloadbalancing:ConfigureHealthCheck", all(making, classicType)},
	{onBalancer, "elasticloadbalancing:CreateListener", all(making, nlb)},
	{onBalancer, "elasticloadbalancing:CreateLoadBalancer", all(making, network)},
	{onBalancer, "elasticloadbalancing:CreateLoadBalancerListeners", all(making, create, classicType)},
	{onBalancer, "elasticloadbalancing:CreateTargetGroup", all(making, nlb)},
	{onBalancer, "elasticloadbalancing:DeleteListener", all(change, nlb)}, // also that of another port
	{onBalancer, "elasticloadbalancing:DeleteLoadBalancer", all(removing, network)},
	{onBalancer, "elasticloadbalancing:DeleteLoadBalancerListeners", all(change, create, classicType)}, // also to replace one
	{onBalancer, "elasticloadbalancing:DeleteTargetGroup", all(removing, nlb)},
	{onBalancer, "elasticloadbalancing:DeregisterInstancesFromLoadBalancer", all(change, classicType, takingOut)},
	{onBalancer, "elasticloadbalancing:DeregisterTargets", all(change, nlb)}, // also those on another port
	{onBalancer, "elasticloadbalancing:ModifyListener", all(making, nlb)},
	{onBalancer, "elasticloadbalancing:ModifyListenerAttributes", all(making, nlb, idle)},
	{onBalancer, "elasticloadbalancing:ModifyLoadBalancerAttributes", all(making, attributes)},
	{onBalancer, "elasticloadbalancing:ModifyTargetGroup", all(making, nlb)},
	{onBalancer, "elasticloadbalancing:ModifyTargetGroupAttributes", all(making, nlb, delay)},
	{onBalancer, "elasticloadbalancing:RegisterInstancesWithLoadBalancer", all(making, classicType)},
	{onBalancer, "elasticloadbalancing:RegisterTargets", all(making, nlb)},
	{onBalancer, "elasticloadbalancing:SetSecurityGroups", all(making, nlb)},
	{onBalancer, "elasticloadbalancing:SetSubnets", all(making, nlb)},

	// AWS makes the role of its own load balancing service with the first one:
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-service-linked-roles.html
	{onServiceRole, "iam:CreateServiceLinkedRole", all(making, network)},
}

func always(Config, lb.Use) bool          { return true }
func create(c Config, _ lb.Use) bool      { return c.Create }
func network(c Config, _ lb.Use) bool     { return c.hasNetwork() }
func classicType(c Config, _ lb.Use) bool { return c.Type == Classic }
func nlb(c Config, _ lb.Use) bool         { return c.Type == NLB }
func idle(c Config, _ lb.Use) bool        { return c.IdleTimeout > 0 }
func delay(c Config, _ lb.Use) bool       { return c.DeregistrationDelay > 0 }
func health(_ Config, use lb.Use) bool    { return use.Health }
func change(_ Config, use lb.Use) bool    { return use.Change }
func deletion(_ Config, use lb.Use) bool  { return use.Delete }
func making(_ Config, use lb.Use) bool    { return use.Change && !use.Delete }
func removing(_ Config, use lb.Use) bool  { return use.Change && use.Delete }
func takingOut(c Config, use lb.Use) bool { return use.Delete || c.Prune }
func attributes(c Config, _ lb.Use) bool {
	return c.hasNetwork() || c.IdleTimeout > 0 || c.Draining > 0
}

// all is true where each of them is.
func all(conditions ...func(Config, lb.Use) bool) func(Config, lb.Use) bool {
	return func(c Config, use lb.Use) bool {
		for _, holds := range conditions {
			if !holds(c, use) {
				return false
			}
		}
		return true
	}
}

// Policy is the least IAM policy with which a run can do with this Config what it
// does.
func Policy(c Config, use lb.Use) (string, error) {
	d := document{Version: "2012-10-17"}
	for _, p := range permissions {
		if !p.needed(c, use) {
			continue
		}
		if n := len(d.Statement); n == 0 || d.Statement[n-1].Sid != p.sid {
			d.Statement = append(d.Statement, statement{Sid: p.sid, Effect: "Allow", Resource: c.arns(p.sid), Condition: conditions[p.sid]})
		}
		last := &d.Statement[len(d.Statement)-1]
		last.Action = append(last.Action, p.action)
	}
	text, err := json.MarshalIndent(d, "", "  ")
	return string(text), err
}

// conditions are those of a statement.
var conditions = map[string]map[string]map[string][]string{
	onMade:   {"StringEquals": {"aws:RequestTag/" + lb.OwnerKey: {lb.Owner}}},
	onRules:  {"StringEquals": {"aws:RequestTag/" + lb.OwnerKey: {lb.Owner}}},
	onMarked: {"StringEquals": {"aws:ResourceTag/" + lb.OwnerKey: {lb.Owner}}},
	onMarks: {"StringEquals": {
		"aws:RequestTag/" + lb.OwnerKey: {lb.Owner},
		"ec2:CreateAction":              {"AuthorizeSecurityGroupIngress", "CreateSecurityGroup", "CreateSubnet"},
	}},
}

// arns are the resources that a statement is about.
func (c Config) arns(sid string) []string {
	region, partition := c.Region, "aws"
	switch {
	case region == "":
		region = "*"
	case strings.HasPrefix(region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	ec2 := fmt.Sprintf("arn:%s:ec2:%s:*:", partition, region)
	group, rule, subnet, vpc := ec2+"security-group/*", ec2+"security-group-rule/*", ec2+"subnet/*", ec2+"vpc/*"
	if vpcID.MatchString(c.VPC) {
		vpc = ec2 + "vpc/" + c.VPC
	}
	switch sid {
	case onServiceRole:
		return []string{fmt.Sprintf("arn:%s:iam::*:role/aws-service-role/elasticloadbalancing.amazonaws.com/*", partition)}
	case onMade:
		return []string{group, subnet}
	case inVPC:
		return []string{vpc}
	case onRules:
		return []string{rule}
	case onGroups:
		return []string{group}
	case onMarks, onMarked:
		return []string{group, rule, subnet}
	case onBalancer:
		return c.balancerARNs(fmt.Sprintf("arn:%s:elasticloadbalancing:%s:*:", partition, region))
	}
	return []string{"*"}
}

func (c Config) balancerARNs(prefix string) []string {
	if c.Type == Classic {
		return []string{prefix + "loadbalancer/" + c.LoadBalancer}
	}
	return []string{
		prefix + "listener/net/" + c.LoadBalancer + "/*",
		prefix + "loadbalancer/net/" + c.LoadBalancer + "/*",
		prefix + "targetgroup/" + c.TargetGroup + "/*",
	}
}

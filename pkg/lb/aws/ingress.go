// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// ingress is one TCP port of a group that is open to an address range or to
// another group. A wider rule of the user's will do; one of ours has to be exact.
type ingress struct {
	// balancers is the group that it is made for, and stays for while it is in use.
	balancers *securityGroup

	into *securityGroup
	port int32
	cidr string
	// from is the other group. A rule for the addresses of all its subnets will do
	// as well, if there are any.
	from    *securityGroup
	subnets []*subnet

	found types.SecurityGroupRule
}

func (r *ingress) Kind() string { return ruleKind }

const ruleKind = "security group rule"

func (r *ingress) Name() string {
	source := r.cidr
	if r.from != nil {
		source = r.from.name
	}
	return ruleName(fmt.Sprintf("tcp/%d", r.port), source, r.into)
}

func ruleName(ports, source string, into *securityGroup) string {
	return fmt.Sprintf("%s from %s into %s", ports, source, into.name)
}

func (r *ingress) Read(ctx context.Context) (lb.State, error) {
	rules, err := r.into.list(ctx)
	if err != nil {
		return lb.State{}, err
	}
	state := lb.State{}
	for _, rule := range rules {
		ours := marked(rule.Tags)
		if ours && !r.equals(rule) || !ours && (state.Exists || !r.coveredBy(rule)) {
			continue
		}
		r.found = rule
		state = lb.State{Exists: true, ID: awssdk.ToString(rule.SecurityGroupRuleId), Ours: ours}
	}
	return state, nil
}

// equals reports whether a rule lets in what is wanted and no more.
func (r *ingress) equals(rule types.SecurityGroupRule) bool {
	return opensOnly(rule, r.port) && (r.from == nil && source(rule) == r.cidr || r.from != nil && r.from.id != "" && source(rule) == r.from.id)
}

func (r *ingress) coveredBy(rule types.SecurityGroupRule) bool {
	if !opens(rule, r.port) {
		return false
	}
	open := awssdk.ToString(rule.CidrIpv4)
	if r.from == nil {
		return contains(open, r.cidr)
	}
	if r.from.id != "" && source(rule) == r.from.id {
		return true
	}
	for _, s := range r.subnets {
		if !contains(open, s.cidr) {
			return false
		}
	}
	return len(r.subnets) > 0
}

func (r *ingress) Create(ctx context.Context) error {
	r.into.listed = false
	permission := types.IpPermission{IpProtocol: awssdk.String("tcp"), FromPort: &r.port, ToPort: &r.port}
	if r.from != nil {
		permission.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: &r.from.id}}
	} else {
		permission.IpRanges = []types.IpRange{{CidrIp: &r.cidr}}
	}
	_, err := r.into.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId:           &r.into.id,
		IpPermissions:     []types.IpPermission{permission},
		TagSpecifications: tags(types.ResourceTypeSecurityGroupRule, ""),
	})
	return err
}

func (r *ingress) Delete(ctx context.Context) error { return r.into.revoke(ctx, r.found) }

func (r *ingress) Keep(ctx context.Context) (string, error) { return r.balancers.Keep(ctx) }

func (r *ingress) Commands(a lb.Action) []string {
	if a == lb.Delete {
		return []string{r.into.revokeLine(r.found)}
	}
	words := []string{"ec2 authorize-security-group-ingress --group-id", r.into.ref(), "--protocol tcp --port", fmt.Sprint(r.port)}
	if r.from != nil {
		words = append(words, "--source-group", r.from.ref())
	} else {
		words = append(words, "--cidr", r.cidr)
	}
	return []string{line(append(words, markOption("security-group-rule", ""))...)}
}

func (g *securityGroup) revoke(ctx context.Context, rule types.SecurityGroupRule) error {
	_, err := g.ec2.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{
		GroupId: &g.id, SecurityGroupRuleIds: []string{awssdk.ToString(rule.SecurityGroupRuleId)},
	})
	return err
}

func (g *securityGroup) revokeLine(rule types.SecurityGroupRule) string {
	return line("ec2 revoke-security-group-ingress --group-id", g.id, "--security-group-rule-ids", awssdk.ToString(rule.SecurityGroupRuleId))
}

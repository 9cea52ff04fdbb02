// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// opens reports whether a rule lets TCP to a port in.
func opens(rule types.SecurityGroupRule, port int32) bool {
	if awssdk.ToBool(rule.IsEgress) {
		return false
	}
	switch awssdk.ToString(rule.IpProtocol) {
	case "-1":
		return true
	case "tcp":
		return awssdk.ToInt32(rule.FromPort) <= port && awssdk.ToInt32(rule.ToPort) >= port
	}
	return false
}

// opensOnly reports whether a rule lets in TCP to a port and nothing else.
func opensOnly(rule types.SecurityGroupRule, port int32) bool {
	return opens(rule, port) && awssdk.ToString(rule.IpProtocol) == "tcp" && awssdk.ToInt32(rule.FromPort) == port && awssdk.ToInt32(rule.ToPort) == port
}

// source is whom a rule lets in.
func source(rule types.SecurityGroupRule) string {
	if group := rule.ReferencedGroupInfo; group != nil {
		return awssdk.ToString(group.GroupId)
	}
	for _, s := range []*string{rule.CidrIpv4, rule.CidrIpv6, rule.PrefixListId} {
		if s != nil {
			return *s
		}
	}
	return "everybody"
}

// portsOf are a rule's, as the aws tool takes them.
func portsOf(rule types.SecurityGroupRule) string {
	protocol, from, to := awssdk.ToString(rule.IpProtocol), awssdk.ToInt32(rule.FromPort), awssdk.ToInt32(rule.ToPort)
	switch {
	case protocol == "-1":
		return "all ports"
	case from == to:
		return fmt.Sprintf("%s/%d", protocol, from)
	}
	return fmt.Sprintf("%s/%d-%d", protocol, from, to)
}

// SPDX-License-Identifier: Apache-2.0

package lbaws

import (
	"errors"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	"github.com/aws/smithy-go"
)

// network is what the lab's chapter 3 makes before the load balancer.
type network struct {
	*account
	vpc, subnet        string
	gateway            string
	internal, external string
	controllers        [3]string
}

// chapter3 makes the VPC with its way to the internet, the subnet, the controllers'
// security group and the three controllers, with the lab's names and values.
func (a *account) chapter3() *network {
	a.Helper()
	n := &network{account: a}
	vpc, err := a.ec2.CreateVpc(a.Context(), &ec2.CreateVpcInput{CidrBlock: awssdk.String("10.240.0.0/24")})
	a.Must(err)
	n.vpc = *vpc.Vpc.VpcId
	n.name(n.vpc, "kubernetes-the-hard-way")
	gateway, err := a.ec2.CreateInternetGateway(a.Context(), &ec2.CreateInternetGatewayInput{})
	a.Must(err)
	n.gateway = *gateway.InternetGateway.InternetGatewayId
	_, err = a.ec2.AttachInternetGateway(a.Context(), &ec2.AttachInternetGatewayInput{InternetGatewayId: &n.gateway, VpcId: &n.vpc})
	a.Must(err)
	subnet, err := a.ec2.CreateSubnet(a.Context(), &ec2.CreateSubnetInput{VpcId: &n.vpc, CidrBlock: awssdk.String("10.240.0.0/24")})
	a.Must(err)
	n.subnet = *subnet.Subnet.SubnetId
	n.name(n.subnet, "kubernetes-the-hard-way_subnet")
	n.internal = n.group("kubernetes-the-hard-way-allow-internal")
	n.allow(n.internal, 22, 22, "0.0.0.0/0")
	n.allow(n.internal, 0, 65535, "10.240.0.0/24")
	n.allow(n.internal, 0, 65535, "10.200.0.0/16")
	for i := range n.controllers {
		n.controllers[i] = n.instance(n.subnet, fmt.Sprintf("controller-%d", i), fmt.Sprintf("10.240.0.1%d", i))
	}
	return n
}

// chapter3ELB makes the load balancer and its security group as well.
func (n *network) chapter3ELB() {
	n.Helper()
	n.external = n.group("kubernetes-the-hard-way-allow-external")
	n.allow(n.external, 22, 22, "0.0.0.0/0")
	n.allow(n.external, 6443, 6443, "0.0.0.0/0")
	_, err := n.elb.CreateLoadBalancer(n.Context(), &elasticloadbalancing.CreateLoadBalancerInput{
		LoadBalancerName: awssdk.String("kubernetes"), Subnets: []string{n.subnet}, SecurityGroups: []string{n.external},
		Listeners: []elbtypes.Listener{{Protocol: awssdk.String("tcp"), LoadBalancerPort: 6443, InstanceProtocol: awssdk.String("tcp"), InstancePort: awssdk.Int32(6443)}},
	})
	n.Must(err)
}

func (n *network) name(id, name string) {
	n.Helper()
	_, err := n.ec2.CreateTags(n.Context(), &ec2.CreateTagsInput{Resources: []string{id}, Tags: []ec2types.Tag{{Key: awssdk.String("Name"), Value: &name}}})
	n.Must(err)
}

func (n *network) group(name string) string {
	n.Helper()
	out, err := n.ec2.CreateSecurityGroup(n.Context(), &ec2.CreateSecurityGroupInput{GroupName: &name, Description: &name, VpcId: &n.vpc})
	n.Must(err)
	return *out.GroupId
}

func (n *network) allow(group string, from, to int32, cidr string) {
	n.Helper()
	_, err := n.ec2.AuthorizeSecurityGroupIngress(n.Context(), &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &group, IpProtocol: awssdk.String("tcp"), FromPort: &from, ToPort: &to, CidrIp: &cidr,
	})
	// What moto has done and answered with an error, the SDK asks for again.
	if known := smithy.APIError(nil); errors.As(err, &known) && known.ErrorCode() == "InvalidPermission.Duplicate" {
		return
	}
	n.Must(err)
}

func (n *network) instance(subnet, name, ip string) string {
	n.Helper()
	in := &ec2.RunInstancesInput{
		ImageId: awssdk.String("ami-39397a46"), InstanceType: ec2types.InstanceTypeT2Medium,
		MinCount: awssdk.Int32(1), MaxCount: awssdk.Int32(1), SubnetId: &subnet, SecurityGroupIds: []string{n.internal},
	}
	if ip != "" {
		in.PrivateIpAddress = &ip
	}
	out, err := n.ec2.RunInstances(n.Context(), in)
	n.Must(err)
	id := *out.Instances[0].InstanceId
	n.name(id, name)
	return id
}

func (n *network) stop(id string) {
	n.Helper()
	_, err := n.ec2.StopInstances(n.Context(), &ec2.StopInstancesInput{InstanceIds: []string{id}})
	n.Must(err)
}

func (n *network) start(id string) {
	n.Helper()
	_, err := n.ec2.StartInstances(n.Context(), &ec2.StartInstancesInput{InstanceIds: []string{id}})
	n.Must(err)
}

func (n *network) terminate(id string) {
	n.Helper()
	_, err := n.ec2.TerminateInstances(n.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
	n.Must(err)
}

// classic is the load balancer as AWS describes it.
func (n *network) classic() elbtypes.LoadBalancerDescription {
	n.Helper()
	out, err := n.elb.DescribeLoadBalancers(n.Context(), &elasticloadbalancing.DescribeLoadBalancersInput{LoadBalancerNames: []string{"kubernetes"}})
	n.Must(err)
	return out.LoadBalancerDescriptions[0]
}

// registered are the IDs of the instances behind it.
func (n *network) registered() []string {
	n.Helper()
	var ids []string
	for _, i := range n.classic().Instances {
		ids = append(ids, *i.InstanceId)
	}
	return ids
}

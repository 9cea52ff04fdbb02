// SPDX-License-Identifier: Apache-2.0

// Package lbaws runs `khw-controller lb --cloud aws` against moto's server, a
// third-party emulator of AWS, in an account that is prepared as the lab's
// chapter 3 prepares it. What moto does not do as AWS does, pkg/lb/aws tests:
// throttling and time-outs, pages, controllers that are out of service, the
// network interfaces of load balancers and what they keep in use, the resources
// and conditions of policies.
package lbaws

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// TestLBOnAWS has each part in a region of its own, so that they share one moto.
// They are prepared one after the other: moto makes a region when it is first asked
// for, and a request that meets that answers 500 when it has done its work, which
// the SDK then asks for again.
func TestLBOnAWS(t *testing.T) {
	m := startMoto(harness.New(t))
	t.Run("regions", func(t *testing.T) {
		for region, part := range map[string]func(*network){"us-east-1": theLab, "us-west-1": instances, "eu-west-1": create, "eu-central-1": nlb, "us-west-2": literally, "eu-west-2": byHand, "eu-north-1": others} {
			t.Run(region, func(t *testing.T) {
				n := m.in(t).account(region).chapter3()
				t.Parallel()
				part(n)
			})
		}
	})
	// moto enforces policies in all regions or in none.
	permissions(m, m.account("ap-south-1").chapter3(), m.account("ap-southeast-1").chapter3())
}

// theLab is chapter 8: on the load balancer of chapter 3, nothing but the
// difference, any number of times, and back.
func theLab(n *network) {
	n.Helper()
	n.mustLB(1, []string{"there is no classic load balancer of this name", "--create"})
	n.chapter3ELB()
	n.mustLB(3, []string{
		"load balancer in aws, account 123456789012, region " + n.region, "= load balancer  kubernetes", "= listener       tcp/6443", "~ attributes     kubernetes", "~ health check   kubernetes", "+ registration   controller-0 (" + n.controllers[0], "3 to create, 2 to change",
	}, "--dry-run")
	if ids := n.registered(); len(ids) > 0 || n.classic().HealthCheck != nil && awssdk.ToString(n.classic().HealthCheck.Target) == "HTTP:80/healthz" {
		n.Fatalf("a dry run has registered %v", ids)
	}

	n.mustLB(0, []string{"changed health check kubernetes", "created registration controller-2", "clients connect to https://" + *n.classic().DNSName + ":6443", "controller-1 (" + n.controllers[1] + ") InService"}, "--wait")
	check := n.classic().HealthCheck
	got := []any{*check.Target, *check.Interval, *check.Timeout, *check.HealthyThreshold, *check.UnhealthyThreshold}
	if want := []any{"HTTP:80/healthz", int32(5), int32(3), int32(2), int32(2)}; !slices.Equal(got, want) {
		n.Errorf("the health check is %v, want %v", got, want)
	}
	if ids := n.registered(); len(ids) != 3 {
		n.Errorf("registered are %v, want the three controllers", ids)
	}
	n.mustLB(0, []string{"nothing to do"}, "--dry-run")
	n.mustLB(0, []string{"nothing to do"})

	status(n)

	// The lab's own target, and another instance beside the controllers.
	other := n.instance(n.subnet, "worker-0", "")
	_, err := n.elb.RegisterInstancesWithLoadBalancer(n.Context(), &elasticloadbalancing.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: awssdk.String("kubernetes"), Instances: []elbtypes.Instance{{InstanceId: &other}},
	})
	n.Must(err)
	n.mustLB(0, []string{"target HTTP:80/healthz → HTTP:80/", "? instance " + other + " (worker-0, running) is registered too"}, "--health-check-target", "HTTP:80/")
	r := n.mustLB(3, nil, "--dry-run", "-o", "json")
	var report struct {
		Pending int
		Address string
		Steps   []struct {
			Action, Kind string
			Changes      []struct{ Field, Old, New string }
		}
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || report.Pending != 1 || report.Address == "" {
		n.Errorf("-o json: %v in %s", err, r.out)
	}
	n.mustLB(0, []string{"target HTTP:80/ → HTTP:80/healthz"})

	n.mustLB(2, []string{"add --yes"}, "--delete")
	n.mustLB(3, []string{"- registration   controller-0", "= load balancer  kubernetes: kept"}, "--delete", "--dry-run")
	n.mustLB(0, []string{"deleted registration controller-0"}, "--delete", "--yes")
	if ids := n.registered(); !slices.Equal(ids, []string{other}) {
		n.Errorf("after --delete, registered are %v, want only %s", ids, other)
	}
	n.mustLB(0, []string{"nothing to do"}, "--delete")
}

// status shows who gets traffic.
func status(n *network) {
	n.Helper()
	n.mustLB(0, []string{"load balancer kubernetes in aws", *n.classic().DNSName, "tcp/6443", "controller-2 (" + n.controllers[2] + ")", "InService", "running since 2"}, "status")
	var s struct {
		Addresses []string
		Listeners []struct {
			Port, Target string
			Serves       bool
		}
		Targets []struct {
			Name, State, Machine, MachineSince string
			InService                          bool
		}
	}
	r := n.mustLB(0, nil, "status", "-o", "json")
	if err := json.Unmarshal([]byte(r.out), &s); err != nil || len(s.Addresses) != 1 || len(s.Listeners) != 1 || !s.Listeners[0].Serves || len(s.Targets) != 3 || s.Targets[0].MachineSince == "" {
		n.Errorf("%v, the status is %s", err, r.out)
	}
	n.mustLB(1, []string{"no client is served"}, "status", "--port", "8443")
	n.mustLB(1, []string{"no client is served"}, "status", "--load-balancer", "other")
	n.mustLB(1, []string{"no client is served"}, "status", "--type", "nlb")
}

// others make things beside ours, which are named and kept, and refused when they
// are in the way.
func others(n *network) {
	n.Helper()
	narrow := []string{"--create", "--allow-from", "192.0.2.0/24"}
	n.mustLB(0, []string{"created load balancer kubernetes"}, "--create")
	n.mustLB(0, []string{"created security group rule tcp/6443 from 192.0.2.0/24", "deleted security group rule tcp/6443 from 0.0.0.0/0"}, narrow...)
	n.mustLB(0, []string{"nothing to do"}, narrow...)
	_, err := n.elb.CreateLoadBalancerListeners(n.Context(), &elasticloadbalancing.CreateLoadBalancerListenersInput{
		LoadBalancerName: awssdk.String("kubernetes"),
		Listeners:        []elbtypes.Listener{{Protocol: awssdk.String("HTTP"), LoadBalancerPort: 443, InstanceProtocol: awssdk.String("HTTP"), InstancePort: awssdk.Int32(8080)}},
	})
	n.Must(err)
	n.mustLB(0, []string{"? load balancer kubernetes listens on http/443 too, for http/8080", "nothing to do"}, narrow...)
	n.mustLB(1, []string{"has HTTP on 443 for http/8080, so nobody is served"}, "--port", "443")
	n.mustLB(0, []string{"= load balancer        kubernetes: kept, its listener on http/443 is not made by khw-controller"}, "--create", "--delete", "--yes")
	if got := n.classic().ListenerDescriptions; len(got) != 1 || got[0].Listener.LoadBalancerPort != 443 {
		n.Errorf("left are %+v", got)
	}

	n.stop(n.controllers[1])
	n.mustLB(1, []string{n.controllers[1] + " is registered and stopped; start it"}, "--create")
	n.terminate(n.controllers[1])
	n.mustLB(0, []string{"? instance " + n.controllers[1], "--prune takes it out"}, "--create", "--instances", "controller-0")
	n.mustLB(0, []string{"deleted registration " + n.controllers[1]}, "--create", "--instances", "controller-0", "--prune")

	n.mustLB(2, []string{"--load-balancer \"under_score\" is no name that AWS takes"}, "--load-balancer", "under_score")
	n.mustLB(0, []string{"= vpc "}, "--create", "--instances", "controller-0", "--vpc", n.vpc)
	_, err = n.ec2.DetachInternetGateway(n.Context(), &ec2.DetachInternetGatewayInput{InternetGatewayId: &n.gateway, VpcId: &n.vpc})
	n.Must(err)
	n.mustLB(1, []string{n.vpc + " has no internet gateway"}, "--create", "--load-balancer", "second")
}

// instances are those that the lab's query would register, and more.
func instances(n *network) {
	n.Helper()
	n.chapter3ELB()
	n.stop(n.controllers[1])
	n.mustLB(1, []string{"registration controller-1: no instance with this tag Name runs in " + n.vpc, n.controllers[1], "stopped"})
	n.mustLB(0, []string{"created registration controller-2"}, "--instances", "controller-0,controller-2")
	n.start(n.controllers[1])

	twin := n.instance(n.subnet, "controller-1", "")
	n.mustLB(1, []string{"registration controller-1: 2 running instances", n.controllers[1], twin})
	n.terminate(twin)
	n.mustLB(0, []string{"created registration controller-1 (" + n.controllers[1] + ")"})

	// The only controller-2 that runs is in another VPC.
	other, err := n.ec2.CreateVpc(n.Context(), &ec2.CreateVpcInput{CidrBlock: awssdk.String("10.250.0.0/24")})
	n.Must(err)
	subnet, err := n.ec2.CreateSubnet(n.Context(), &ec2.CreateSubnetInput{VpcId: other.Vpc.VpcId, CidrBlock: awssdk.String("10.250.0.0/24")})
	n.Must(err)
	n.name(n.controllers[2], "retired")
	elsewhere := &network{account: n.account, vpc: *other.Vpc.VpcId}
	elsewhere.internal = elsewhere.group("elsewhere")
	far := elsewhere.instance(*subnet.Subnet.SubnetId, "controller-2", "")
	n.mustLB(1, []string{"registration controller-2: no instance with this tag Name runs in " + n.vpc, far, elsewhere.vpc})
	n.terminate(far)
	n.mustLB(1, []string{"registration controller-2: no instance has this tag Name"})
	if ids := n.registered(); slices.Contains(ids, twin) || slices.Contains(ids, far) {
		n.Errorf("registered are %v", ids)
	}
}

// create makes what chapter 3 would have left, and takes only that away again.
func create(n *network) {
	n.Helper()
	n.mustLB(3, []string{"= subnet", "+ security group ", "+ load balancer", "+ listener", "+ health check"}, "--create", "--dry-run")
	n.mustLB(0, []string{"created load balancer kubernetes", "created attributes kubernetes"}, "--create")
	if got := n.classic(); len(got.ListenerDescriptions) != 1 || got.ListenerDescriptions[0].Listener.LoadBalancerPort != 6443 || !slices.Equal(got.Subnets, []string{n.subnet}) {
		n.Errorf("made was %+v", got)
	}
	n.mustLB(0, []string{"nothing to do"}, "--create")

	_, err := n.elb.DeleteLoadBalancerListeners(n.Context(), &elasticloadbalancing.DeleteLoadBalancerListenersInput{LoadBalancerName: awssdk.String("kubernetes"), LoadBalancerPorts: []int32{6443}})
	n.Must(err)
	n.mustLB(1, []string{"does not listen on 6443, so nobody is served"})
	n.mustLB(0, []string{"created listener tcp/6443"}, "--create")

	n.mustLB(0, []string{"= subnet", "kept, not made by khw-controller", "deleted load balancer kubernetes", "deleted security group kubernetes-the-hard-way-allow-external"}, "--create", "--delete", "--yes")
	out, err := n.ec2.DescribeSecurityGroups(n.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{n.internal}})
	n.Must(err)
	for _, p := range out.SecurityGroups[0].IpPermissions {
		if len(p.UserIdGroupPairs) > 0 {
			n.Errorf("a rule is left behind: %+v", p)
		}
	}
	n.mustLB(0, []string{"nothing to do"}, "--create", "--delete", "--yes")
}

// nlbFlags have a delay of a second less than AWS allows: moto allows no more.
var nlbFlags = []string{"--create", "--type", "nlb", "--deregistration-delay", "3599s"}

// nlb is the same with today's kind of load balancer, and a subnet of its own.
func nlb(n *network) {
	n.Helper()
	flags := append(slices.Clone(nlbFlags), "--wait")
	n.mustLB(0, []string{"created network load balancer kubernetes", "created target group kubernetes", "created listener tcp/6443", "created registration controller-1", "clients connect to https://kubernetes"}, flags...)
	groups, err := n.elbv2.DescribeTargetGroups(n.Context(), &elasticloadbalancingv2.DescribeTargetGroupsInput{Names: []string{"kubernetes"}})
	n.Must(err)
	g := groups.TargetGroups[0]
	if *g.HealthCheckPort != "80" || awssdk.ToString(g.HealthCheckPath) != "/healthz" || *g.HealthCheckIntervalSeconds != 5 || *g.Port != 6443 {
		n.Errorf("the target group is %+v", g)
	}
	n.mustLB(0, []string{"nothing to do"}, flags...)
	_, err = n.elbv2.ModifyTargetGroup(n.Context(), &elasticloadbalancingv2.ModifyTargetGroupInput{TargetGroupArn: g.TargetGroupArn, HealthCheckPath: awssdk.String("/")})
	n.Must(err)
	n.mustLB(0, []string{"health check target HTTP:80/ → HTTP:80/healthz", "changed target group"}, flags...)
	n.mustLB(0, []string{"nothing to do"}, flags...)
	n.mustLB(0, []string{"deleted network load balancer kubernetes", "deleted target group kubernetes"}, "--type", "nlb", "--create", "--delete", "--yes")
	n.mustLB(0, []string{"nothing to do"}, "--type", "nlb", "--create", "--delete", "--yes")
}

// permissions has moto enforce the policies that are printed, with a user each.
// moto takes every call to be for the resource *, so the policies' ARNs are
// replaced; pkg/lb/aws tests them.
func permissions(m *moto, labs, news *network) {
	m.Helper()
	labs.chapter3ELB()
	for name, test := range map[string]struct {
		network *network
		flags   []string
	}{
		"lab":     {labs, nil},
		"classic": {news, []string{"--create"}},
		"nlb":     {news, nlbFlags},
	} {
		n := test.network
		deletion := append(slices.Clone(test.flags), "--delete")
		grant := func(flags ...string) {
			policy := n.mustLB(0, nil, append(append(slices.Clone(test.flags), "--print-iam-policy"), flags...)...).out
			m.iam("PutUserPolicy", "UserName", name, "PolicyName", "lb", "PolicyDocument", anyResource(m, policy))
			m.enforce(true)
		}
		m.iam("CreateUser", "UserName", name)
		answer := m.iam("CreateAccessKey", "UserName", name)
		a := *n.account
		a.key, a.token = between(answer, "AccessKeyId"), between(answer, "SecretAccessKey")
		m.enforce(true)
		a.mustLB(1, []string{"ec2:DescribeVpcs is not allowed", "--print-iam-policy"}, test.flags...)
		m.enforce(false)
		grant("--dry-run")
		a.mustLB(3, []string{"+ registration"}, append(slices.Clone(test.flags), "--dry-run")...)
		a.mustLB(1, []string{"is not allowed", "done: nothing"}, test.flags...)
		m.enforce(false)
		grant("--wait")
		a.mustLB(0, []string{"created registration controller-0"}, append(slices.Clone(test.flags), "--wait")...)
		m.enforce(false)
		if name == "lab" {
			grant()
			r := a.mustLB(1, []string{"elasticloadbalancing:DescribeInstanceHealth is not allowed"}, "--wait", "--wait-timeout", "10m")
			if strings.Contains(r.errOut, "... ") {
				m.Errorf("it waits though it may not look: %s", r.errOut)
			}
			m.enforce(false)
		}
		grant("--delete")
		a.mustLB(0, []string{"deleted registration controller-0"}, append(deletion, "--yes")...)
		m.enforce(false)
	}
}

func between(xml, tag string) string {
	_, rest, _ := strings.Cut(xml, "<"+tag+">")
	value, _, _ := strings.Cut(rest, "</"+tag+">")
	return value
}

func anyResource(m *moto, policy string) string {
	m.Helper()
	var document struct {
		Version   string
		Statement []struct {
			Sid, Effect string
			Action      []string
			Resource    []string
		}
	}
	m.Must(json.Unmarshal([]byte(policy), &document))
	for i := range document.Statement {
		document.Statement[i].Resource = []string{"*"}
	}
	text, err := json.Marshal(document)
	m.Must(err)
	return string(text)
}

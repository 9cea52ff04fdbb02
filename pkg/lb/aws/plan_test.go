// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"fmt"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	v1types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	v2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/khw-controller/khw-controller/internal/golden"
	"github.com/khw-controller/khw-controller/pkg/lb"
)

// kinds are the load balancers of the tests, each with the account that it is
// made in and the differences from it that a user could bring about.
var kinds = []struct {
	name    string
	config  func(*Config)
	account func() *fake
	// differ are repaired, others are told and left, problems refused.
	differ, others, problems map[string]func(*fake)
}{
	{
		name: "classic", config: func(*Config) {}, account: func() *fake { return chapter3().withELB() },
		differ: map[string]func(*fake){
			"lab's target": func(f *fake) { f.classic.HealthCheck.Target = awssdk.String("HTTP:80/") },
			"interval":     func(f *fake) { f.classic.HealthCheck.Interval = awssdk.Int32(30) },
			"timeout":      func(f *fake) { f.classic.HealthCheck.Timeout = awssdk.Int32(4) },
			"thresholds": func(f *fake) {
				f.classic.HealthCheck.HealthyThreshold, f.classic.HealthCheck.UnhealthyThreshold = awssdk.Int32(10), awssdk.Int32(5)
			},
			"not registered": func(f *fake) { f.classic.Instances = f.classic.Instances[1:] },
			"idle timeout":   func(f *fake) { f.classicAttributes.ConnectionSettings.IdleTimeout = awssdk.Int32(60) },
			"no draining":    func(f *fake) { f.classicAttributes.ConnectionDraining = nil },
			"short draining": func(f *fake) { f.classicAttributes.ConnectionDraining.Timeout = awssdk.Int32(300) },
		},
		others: map[string]func(*fake){
			"longer idle timeout": func(f *fake) { f.classicAttributes.ConnectionSettings.IdleTimeout = awssdk.Int32(4000) },
			"another listener":    otherClassicListener,
			"terminated":          func(f *fake) { f.register(terminated("i-old", "controller-0")) },
			"gone":                func(f *fake) { f.register(elsewhere("i-gone", "")); f.instances = f.instances[:len(f.instances)-1] },
			"unmanaged":           func(f *fake) { f.register(instanceOf("i-worker", "worker-0")) },
			"stopped twin":        stoppedTwin,
			"another zone":        func(f *fake) { f.instances[2].Placement.AvailabilityZone = awssdk.String("us-east-1b") },
			"twin elsewhere":      func(f *fake) { f.instances = append(f.instances, elsewhere("i-8", "controller-1")) },
		},
		problems: map[string]func(*fake){
			"no vpc": func(f *fake) { f.vpcs = nil },
			"two vpcs": func(f *fake) {
				f.vpcs = append(f.vpcs, ec2types.Vpc{VpcId: awssdk.String("vpc-2"), Tags: named("kubernetes-the-hard-way")})
			},
			"no load balancer": func(f *fake) { f.classic = nil },
			"other vpc":        func(f *fake) { f.classic.VPCId = awssdk.String("vpc-9") },
			"two running":      func(f *fake) { f.instances = append(f.instances, instanceOf("i-7", "controller-1")) },
			"none":             func(f *fake) { f.instances = f.instances[1:] },
			"no listener":      func(f *fake) { f.classic.ListenerDescriptions = nil },
			"all in another zone": func(f *fake) {
				for i := range f.instances {
					f.instances[i].Placement.AvailabilityZone = awssdk.String("us-east-1b")
				}
			},
			"http listener": func(f *fake) {
				l := f.classic.ListenerDescriptions[0].Listener
				l.Protocol, l.InstancePort = awssdk.String("HTTP"), awssdk.Int32(8080)
			},
			"stopped":            func(f *fake) { f.instances[0].State.Name = ec2types.InstanceStateNameStopped },
			"terminated":         func(f *fake) { f.instances[0].State.Name = ec2types.InstanceStateNameTerminated },
			"only elsewhere":     func(f *fake) { f.instances[2] = elsewhere("i-2", "controller-2") },
			"everything at once": func(f *fake) { f.classic = nil; f.instances = nil },
			"pending, no address": func(f *fake) {
				f.instances[0].State.Name, f.instances[0].PrivateIpAddress = ec2types.InstanceStateNamePending, nil
			},
		},
	},
	{
		name: "classic-create", config: func(c *Config) { c.Create = true }, account: chapter3,
		differ: map[string]func(*fake){
			"security group": func(f *fake) { f.classic.SecurityGroups = []string{"sg-default"} },
			"subnet":         func(f *fake) { f.classic.Subnets = []string{"subnet-2"} },
			"listener":       func(f *fake) { f.classic.ListenerDescriptions[0].Listener.Protocol = awssdk.String("HTTP") },
			"instance port":  func(f *fake) { f.classic.ListenerDescriptions[0].Listener.InstancePort = awssdk.Int32(80) },
			"no listener":    func(f *fake) { f.classic.ListenerDescriptions = nil },
			"cross-zone":     func(f *fake) { f.classicAttributes.CrossZoneLoadBalancing.Enabled = false },
			"old listener": func(f *fake) {
				f.classic.ListenerDescriptions = append(f.classic.ListenerDescriptions, v1types.ListenerDescription{Listener: listenerOn(8443)})
				f.classicTags = append(f.classicTags, (*classic)(nil).listenerTag(8443))
			},
			"old rule": func(f *fake) {
				old := rule("sgr-old", *f.rules[1].GroupId, 8443, 8443, "0.0.0.0/0")
				old.Tags = f.rules[1].Tags
				f.rules = append(f.rules, old)
			},
			"subnet and group": func(f *fake) {
				f.classic.Subnets, f.classic.SecurityGroups = []string{"subnet-2"}, []string{"sg-default"}
			},
			"no rule":        func(f *fake) { f.rules = f.rules[:1] },
			"narrow rule":    func(f *fake) { f.rules[1].CidrIpv4 = awssdk.String("192.0.2.0/24") },
			"udp rule":       func(f *fake) { f.rules[1].IpProtocol = awssdk.String("udp") },
			"no health rule": func(f *fake) { f.rules[0].FromPort = awssdk.Int32(6000) },
			"no subnet at all": func(f *fake) {
				f.subnets = nil
				f.instances[0].Placement.AvailabilityZone = awssdk.String("us-east-1c")
			},
		},
		others: map[string]func(*fake){
			"wider rule": func(f *fake) {
				f.rules[1] = ec2types.SecurityGroupRule{SecurityGroupRuleId: awssdk.String("sgr-all"), GroupId: f.rules[1].GroupId, IpProtocol: awssdk.String("-1"), CidrIpv4: awssdk.String("0.0.0.0/0")}
			},
			"another listener": otherClassicListener,
			"other cidr":       func(f *fake) { f.subnets[0].CidrBlock = awssdk.String("10.240.0.0/25") },
			"two rules":        func(f *fake) { f.rules = append(f.rules, rule("sgr-2", *f.rules[1].GroupId, 6443, 6443, "0.0.0.0/0")) },
		},
		problems: map[string]func(*fake){
			"offline":              func(f *fake) { f.classic, f.offline = nil, true },
			"internal":             func(f *fake) { f.classic.Scheme = awssdk.String("internal") },
			"overlapping subnet":   func(f *fake) { f.subnets[0].Tags = named("mine") },
			"two subnets":          func(f *fake) { f.subnets = append(f.subnets, f.subnets[0]) },
			"no controllers group": func(f *fake) { f.groups = f.groups[1:] },
		},
	},
	{
		name: "nlb", config: func(c *Config) { c.Type = NLB }, account: func() *fake {
			f := chapter3().withELB()
			f.classic = nil
			return f
		},
		differ: map[string]func(*fake){
			"path": func(f *fake) { f.targetGroup.HealthCheckPath = awssdk.String("/") },
			"tcp check": func(f *fake) {
				f.targetGroup.HealthCheckProtocol, f.targetGroup.HealthCheckPath = v2types.ProtocolEnumTcp, nil
			},
			"interval": func(f *fake) { f.targetGroup.HealthCheckIntervalSeconds = awssdk.Int32(30) },
			"thresholds": func(f *fake) {
				f.targetGroup.HealthyThresholdCount, f.targetGroup.UnhealthyThresholdCount = awssdk.Int32(5), awssdk.Int32(5)
			},
			"idle timeout": func(f *fake) { f.idle = "350" },
			"delay":        func(f *fake) { f.delay = "0" },
			"old listener": func(f *fake) {
				f.addListener("arn-listener-8443", 8443)
				f.networkTags["arn-listener-8443"] = nlbTags()
			},
			"old target":     func(f *fake) { f.targets = append(f.targets, target{"i-1", 8443}) },
			"not registered": func(f *fake) { f.targets = f.targets[1:] },
			"no listener":    func(f *fake) { f.listeners = nil },
			"listener":       func(f *fake) { f.listeners[0].DefaultActions[0].TargetGroupArn = awssdk.String("arn-other") },
			"udp listener":   func(f *fake) { f.listeners[0].Protocol = v2types.ProtocolEnumUdp },
			"cross-zone":     func(f *fake) { f.networkCross = "false" },
			"subnet":         func(f *fake) { f.network.AvailabilityZones = zonesOf([]string{"subnet-2"}) },
			"security group": func(f *fake) { f.network.SecurityGroups = []string{"sg-default"} },
			"no balancer":    func(f *fake) { f.network, f.listeners = nil, nil },
		},
		others: map[string]func(*fake){
			"unmanaged": func(f *fake) { f.register(instanceOf("i-worker", "worker-0")) },
			"another port": func(f *fake) {
				f.instances = append(f.instances, instanceOf("i-worker", "worker-0"))
				f.targets = append(f.targets, target{"i-worker", 8443})
			},
			"longer idle timeout": func(f *fake) { f.idle = "6000" },
			"another listener":    func(f *fake) { f.addListener("arn-other", 443) },
			"being made":          func(f *fake) { f.network.State.Code = v2types.LoadBalancerStateEnumProvisioning },
			"no security groups":  func(f *fake) { f.network.SecurityGroups = nil },
		},
		problems: map[string]func(*fake){
			"application":       func(f *fake) { f.network.Type = v2types.LoadBalancerTypeEnumApplication },
			"internal":          func(f *fake) { f.network.Scheme = v2types.LoadBalancerSchemeEnumInternal },
			"other vpc":         func(f *fake) { f.network.VpcId = awssdk.String("vpc-9") },
			"offline":           func(f *fake) { f.network, f.offline = nil, true },
			"others' group":     func(f *fake) { f.targetGroup.Port, f.networkTags["arn-group"] = awssdk.Int32(443), nil },
			"target group":      func(f *fake) { f.targetGroup.Port, f.targetGroup.Protocol = awssdk.Int32(443), v2types.ProtocolEnumTls },
			"no subnet":         func(f *fake) { f.subnets = nil },
			"no security group": func(f *fake) { f.groups = f.groups[:1] },
		},
	},
	{
		name: "nlb-create", account: chapter3, config: func(c *Config) {
			c.Type, c.Create = NLB, true
			c.Subnets = append(c.Subnets, Subnet{Name: "public", CIDR: "10.240.1.0/24", Zone: "us-east-1b"})
		},
		differ: map[string]func(*fake){
			// The rule for the subnets' addresses is no use where the client's come through.
			"no group rule": func(f *fake) {
				f.rules = keep(f.rules, func(r ec2types.SecurityGroupRule) bool { return r.ReferencedGroupInfo == nil })
			},
		},
	},
}

func stoppedTwin(f *fake) {
	twin := instanceOf("i-9", "controller-1")
	twin.State.Name = ec2types.InstanceStateNameStopped
	f.register(twin)
}

func terminated(id, name string) ec2types.Instance {
	i := instanceOf(id, name)
	i.State.Name, i.VpcId, i.StateTransitionReason = ec2types.InstanceStateNameTerminated, nil, awssdk.String("User initiated (2026-02-03 04:05:06 GMT)")
	return i
}

// register has an instance be there, and behind the balancer.
func (f *fake) register(i ec2types.Instance) {
	f.instances = append(f.instances, i)
	if f.classic != nil {
		f.classic.Instances = append(f.classic.Instances, v1types.Instance{InstanceId: i.InstanceId})
	} else {
		f.targets = append(f.targets, target{*i.InstanceId, 6443})
	}
}

func listenerOn(port int32) *v1types.Listener {
	return &v1types.Listener{Protocol: awssdk.String("TCP"), LoadBalancerPort: port, InstanceProtocol: awssdk.String("TCP"), InstancePort: &port}
}

func otherClassicListener(f *fake) {
	f.classic.ListenerDescriptions = append(f.classic.ListenerDescriptions, v1types.ListenerDescription{Listener: listenerOn(443)})
}

// addListener adds one that is not ours.
func (f *fake) addListener(arn string, port int32) {
	f.listeners = append(f.listeners, v2types.Listener{ListenerArn: &arn, Port: &port, Protocol: v2types.ProtocolEnumTcp, DefaultActions: f.listeners[0].DefaultActions})
}

func elsewhere(id, name string) ec2types.Instance {
	i := instanceOf(id, name)
	i.VpcId = awssdk.String("vpc-9")
	return i
}

func configOf(change func(*Config)) Config {
	c := Default()
	change(&c)
	return c
}

// apply plans and applies, and returns the plan as text or the error.
func (f *fake) apply(t *testing.T, c Config) string {
	t.Helper()
	cloud := f.cloud(c)
	plan, err := lb.NewPlan(t.Context(), cloud)
	if err != nil {
		return err.Error() + "\n"
	}
	if err := plan.Apply(t.Context(), func(lb.Step) {}); err != nil {
		t.Fatal(err)
	}
	return text(plan)
}

// remove plans a deletion and applies it.
func (f *fake) remove(t *testing.T, c Config) string {
	t.Helper()
	plan, err := lb.NewDeletion(t.Context(), f.cloud(c))
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context(), func(lb.Step) {}); err != nil {
		t.Fatal(err)
	}
	return text(plan)
}

func text(plan *lb.Plan) string {
	var b strings.Builder
	plan.WriteText(&b)
	return b.String()
}

const nothing = "nothing to do\n"

// TestPlans has a golden file for each kind: the plans for nothing there, all
// there, each difference, and back. Each plan is applied, after which there is
// nothing to do.
func TestPlans(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			config := configOf(kind.config)
			var plans strings.Builder
			section := func(name, text string) { fmt.Fprintf(&plans, "## %s\n%s\n", name, text) }
			converged := func() *fake {
				f := kind.account()
				f.apply(t, config)
				return f
			}
			section("nothing there", kind.account().apply(t, config))
			section("all there", converged().apply(t, config))
			for _, name := range sortedKeys(kind.differ) {
				f := converged()
				kind.differ[name](f)
				section("different: "+name, f.apply(t, config))
				if again := f.apply(t, config); !strings.HasSuffix(again, nothing) {
					t.Errorf("%s: a second run has the plan\n%s", name, again)
				}
			}
			for _, name := range sortedKeys(kind.others) {
				f := converged()
				kind.others[name](f)
				plan := f.apply(t, config)
				section("left alone: "+name, plan)
				if !strings.HasSuffix(plan, nothing) {
					t.Errorf("%s: it is changed:\n%s", name, plan)
				}
			}
			for _, name := range sortedKeys(kind.problems) {
				f := converged()
				kind.problems[name](f)
				f.calls = nil
				section("refused: "+name, f.apply(t, config))
				if did := changing(f.calls); len(did) > 0 {
					t.Errorf("%s: it did %v", name, did)
				}
			}
			f := converged()
			section("deletion", f.remove(t, config))
			again := f.remove(t, config)
			section("deletion again", again)
			if !strings.HasSuffix(again, nothing) {
				t.Errorf("a second deletion has the plan\n%s", again)
			}
			golden.Equal(t, "plans-"+kind.name+".txt", []byte(plans.String()))
		})
	}
}

// changing are the calls that change something.
func changing(calls []string) []string {
	return keep(calls, func(call string) bool { return !strings.Contains(call, ":Describe") })
}

// TestDeletionLeavesWhatOthersMade deletes with Create what chapter 3 made.
func TestDeletionLeavesWhatOthersMade(t *testing.T) {
	config := configOf(func(c *Config) { c.Create = true })
	f := chapter3().withELB()
	f.apply(t, config)
	f.remove(t, config)
	if f.classic == nil || len(f.classic.ListenerDescriptions) != 1 || len(f.classic.Instances) != 0 {
		t.Errorf("left is %+v", f.classic)
	}
	if len(f.groups) != 2 || len(f.subnets) != 1 || len(f.rules) != 2 {
		t.Errorf("left are %d groups, %d subnets and %d rules", len(f.groups), len(f.subnets), len(f.rules))
	}
}

// TestDeletionLeavesWhatTheOtherTypeUses moves from a classic load balancer to an
// NLB, which share the security group, its rules and a subnet of ours.
func TestDeletionLeavesWhatTheOtherTypeUses(t *testing.T) {
	old, other := configOf(func(c *Config) { c.Create = true }), configOf(func(c *Config) { c.Create, c.Type = true, NLB })
	f := chapter3()
	f.subnets = nil
	f.apply(t, old)
	f.apply(t, other)
	plan := f.remove(t, old)
	golden.Equal(t, "deletion-beside-nlb.txt", []byte(plan))
	if again := f.apply(t, other); !strings.HasSuffix(again, nothing) {
		t.Errorf("it took away what the other needs:\n%s", again)
	}
	if f.remove(t, other); f.classic != nil || f.network != nil || len(f.subnets) > 0 || len(f.groups) != 1 || len(f.rules) != 1 {
		t.Errorf("left are %v, %v, %v", f.subnets, f.groups, f.rules)
	}
}

func TestHealth(t *testing.T) {
	for _, kind := range kinds[:3] {
		config := configOf(kind.config)
		f := kind.account()
		f.apply(t, config)
		if f.classic != nil {
			f.classic.Instances = append(f.classic.Instances[:2], v1types.Instance{InstanceId: awssdk.String("i-worker")})
		} else {
			f.targets = append(f.targets[:2], target{"i-worker", 6443})
		}
		cloud := f.cloud(config)
		if _, err := lb.NewPlan(t.Context(), cloud); err != nil {
			t.Fatal(err)
		}
		health, err := cloud.Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, h := range health {
			said = append(said, fmt.Sprintf("%s %t %t %s", h.Name, h.Ours, h.InService, h.State))
		}
		got := strings.Join(said, "; ")
		if !strings.HasPrefix(got, "controller-0 true true ") || !strings.Contains(got, "; controller-1 true false ") ||
			!strings.Contains(got, "; controller-2 true false not registered") || !strings.Contains(got, "; i-worker false true ") {
			t.Errorf("%s: %s", kind.name, got)
		}
	}
}

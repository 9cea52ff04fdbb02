// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"slices"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	v1types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"github.com/khw-controller/khw-controller/internal/golden"
	"github.com/khw-controller/khw-controller/pkg/lb"
)

// created are both types with Create.
func created(change func(*Config)) map[string]Config {
	return map[string]Config{
		Classic: configOf(func(c *Config) { c.Create = true; change(c) }),
		NLB:     configOf(func(c *Config) { c.Create, c.Type = true, NLB; change(c) }),
	}
}

func unchanged(*Config) {}

// opened are the sources and ports of the rules into the balancer's group.
func (f *fake) opened() []string {
	group := ""
	for _, g := range f.groups {
		if *g.GroupName == Default().SecurityGroup {
			group = *g.GroupId
		}
	}
	var all []string
	for _, r := range f.rules {
		if *r.GroupId == group {
			all = append(all, portsOf(r)+" "+source(r))
		}
	}
	slices.Sort(all)
	return all
}

// TestFewerClients narrows what is let in: the new rule comes before the old one
// goes.
func TestFewerClients(t *testing.T) {
	for kind, wide := range created(unchanged) {
		narrow := wide
		narrow.AllowFrom = []string{"192.0.2.0/24"}
		f := chapter3()
		f.apply(t, wide)
		f.calls = nil
		plan := f.apply(t, narrow)
		if !strings.Contains(plan, "  - security group rule    tcp/6443 from 0.0.0.0/0") && !strings.Contains(plan, "  - security group rule  tcp/6443 from 0.0.0.0/0") {
			t.Errorf("%s: the plan is\n%s", kind, plan)
		}
		if got := f.opened(); !slices.Equal(got, []string{"tcp/6443 192.0.2.0/24"}) {
			t.Errorf("%s: open are %v", kind, got)
		}
		if did := changing(f.calls); !slices.Equal(did, []string{"ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"}) {
			t.Errorf("%s: it did %v", kind, did)
		}
		if again := f.apply(t, narrow); !strings.HasSuffix(again, nothing) {
			t.Errorf("%s: again:\n%s", kind, again)
		}
	}
}

// TestWiderRulesOfOthersAreNamed and left.
func TestWiderRulesOfOthersAreNamed(t *testing.T) {
	config := configOf(func(c *Config) { c.Create, c.AllowFrom = true, []string{"192.0.2.0/24"} })
	f := chapter3().withELB()
	all := rule("sgr-v6", "sg-external", 0, 65535, "")
	all.CidrIpv4, all.CidrIpv6 = nil, awssdk.String("::/0")
	f.rules = append(f.rules, all, rule("sgr-ssh", "sg-external", 22, 22, "0.0.0.0/0"), rule("sgr-in", "sg-external", 6443, 6443, "192.0.2.128/25"))
	plan := f.apply(t, config)
	for _, want := range []string{
		"  ? sgr-external lets 0.0.0.0/0 in on tcp/6443 too, and is not made by khw-controller; it stays\n",
		"  ? sgr-v6 lets ::/0 in on tcp/0-65535 too, and is not made by khw-controller; it stays\n",
	} {
		if !strings.Contains(plan, want) {
			t.Errorf("%q is not in\n%s", want, plan)
		}
	}
	if strings.Contains(plan, "sgr-ssh") || strings.Contains(plan, "sgr-in lets") || len(f.opened()) != 4 {
		t.Errorf("open are %v after\n%s", f.opened(), plan)
	}
}

// TestAnotherPort moves all to it: afterwards the old one is closed.
func TestAnotherPort(t *testing.T) {
	for kind, old := range created(unchanged) {
		moved := old
		moved.Port = 8443
		f := chapter3()
		f.apply(t, old)
		f.apply(t, moved)
		if again := f.apply(t, moved); !strings.HasSuffix(again, nothing) {
			t.Errorf("%s: again:\n%s", kind, again)
		}
		if got := f.opened(); !slices.Equal(got, []string{"tcp/8443 0.0.0.0/0"}) {
			t.Errorf("%s: open are %v", kind, got)
		}
		var ports []int32
		if f.classic != nil {
			for _, d := range f.classic.ListenerDescriptions {
				ports = append(ports, d.Listener.LoadBalancerPort, *d.Listener.InstancePort)
			}
		} else {
			ports = append(ports, *f.listeners[0].Port)
			for _, target := range f.targets {
				ports = append(ports, target.port)
			}
		}
		if slices.ContainsFunc(ports, func(p int32) bool { return p != 8443 }) {
			t.Errorf("%s: ports are %v", kind, ports)
		}
		f.remove(t, moved)
		if f.classic != nil || f.network != nil || len(f.groups) != 1 || len(f.targets) > 0 {
			t.Errorf("%s: a deletion leaves %v, %v, %v", kind, f.classic, f.network, f.groups)
		}
	}
}

// TestRulesOfTheOtherTypeStay while both balancers use the group.
func TestRulesOfTheOtherTypeStay(t *testing.T) {
	f := chapter3()
	for _, config := range created(unchanged) {
		f.apply(t, config)
	}
	before := len(f.rules)
	for kind, config := range created(unchanged) {
		if plan := f.apply(t, config); !strings.HasSuffix(plan, nothing) || len(f.rules) != before {
			t.Errorf("%s: %d rules, %d before:\n%s", kind, len(f.rules), before, plan)
		}
	}
	for kind, config := range created(unchanged) {
		config.AllowFrom = []string{"192.0.2.0/24"}
		if plan := f.apply(t, config); !strings.Contains(plan, "kept, in use by ") {
			t.Errorf("%s: %s", kind, plan)
		}
	}
}

// TestDeletionKeepsWhatOthersUse has them use each of the things that are ours.
func TestDeletionKeepsWhatOthersUse(t *testing.T) {
	for name, test := range map[string]struct {
		kind  string
		other func(*fake)
		says  []string
	}{
		"a classic listener": {Classic, otherClassicListener, []string{
			"= load balancer        kubernetes: kept, its listener on tcp/443 is not made by khw-controller",
			"= registration         controller-0 (i-0): kept, its listener on tcp/443 is not made by khw-controller",
			"kept, in use by classic load balancer kubernetes", "- listener             tcp/6443",
		}},
		"a classic member": {Classic, func(f *fake) { f.register(instanceOf("i-worker", "worker-0")) }, []string{
			"= load balancer        kubernetes: kept, instance i-worker (worker-0, running) is registered too", "- registration         controller-0 (i-0)",
		}},
		"an nlb's listener": {NLB, func(f *fake) { f.addListener("arn-other", 443) }, []string{
			"= network load balancer  kubernetes: kept, its listener on tcp/443 is not made by khw-controller",
			"= target group           kubernetes: kept, the load balancer's listener on tcp/443, which is not made by khw-controller, leads to it",
		}},
		"a target": {NLB, func(f *fake) { f.register(instanceOf("i-worker", "worker-0")) }, []string{
			"= target group           kubernetes: kept, instance i-worker (worker-0, running) is registered too", "- network load balancer  kubernetes",
		}},
		"another load balancer's target group": {NLB, func(f *fake) { f.targetGroup.LoadBalancerArns = []string{"arn-network", "arn-of-another"} }, []string{
			"= target group           kubernetes: kept, in use by arn-of-another",
		}},
		"the security group": {Classic, func(f *fake) {
			f.otherClassic = &v1types.LoadBalancerDescription{LoadBalancerName: awssdk.String("web"), SecurityGroups: f.classic.SecurityGroups}
		}, []string{
			"kubernetes-the-hard-way-allow-external (sg-2): kept, in use by classic load balancer web", "- load balancer        kubernetes",
		}},
		"the subnet": {Classic, func(f *fake) {
			f.instances[0].SubnetId = f.subnets[0].SubnetId
		}, []string{"kept, in use by instance i-0"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := created(unchanged)[test.kind]
			config.Prune = true
			f := chapter3()
			f.subnets = nil
			f.apply(t, config)
			test.other(f)
			plan := f.remove(t, config)
			for _, want := range test.says {
				if !strings.Contains(plan, want) {
					t.Errorf("%q is not in\n%s", want, plan)
				}
			}
		})
	}
}

// TestTargetsInOthersGroupStay, though they are a controller's on another port.
func TestTargetsInOthersGroupStay(t *testing.T) {
	config := created(unchanged)[NLB]
	f := chapter3()
	f.apply(t, config)
	f.networkTags["arn-group"] = nil
	f.targets = append(f.targets, target{"i-1", 8443})
	plan := f.apply(t, config)
	if want := "  ? instance i-1 (controller-1, running) is registered on port 8443 too\n"; !strings.Contains(plan, want) || len(f.targets) != 4 {
		t.Errorf("%q is not in\n%s", want, plan)
	}
}

// TestPrune takes out what is gone or replaced, and says so before.
func TestPrune(t *testing.T) {
	for kind, config := range created(unchanged) {
		config.Prune = true
		f := chapter3()
		f.apply(t, config)
		stopped := instanceOf("i-9", "controller-1")
		stopped.State.Name = ec2types.InstanceStateNameStopped
		f.register(stopped)
		f.register(terminated("i-old", "controller-0"))
		f.register(instanceOf("i-worker", "worker-0"))
		f.register(instanceOf("i-gone", "unknown"))
		f.instances = f.instances[:len(f.instances)-1]
		plan := f.apply(t, config)
		for _, want := range []string{"i-9 (controller-1, stopped)", "i-old (controller-0, terminated)", "i-gone (gone)"} {
			if !strings.Contains(plan, want+"\n") || strings.Contains(plan, "? instance "+want) {
				t.Errorf("%s: it is not said that %s goes:\n%s", kind, want, plan)
			}
		}
		if got := f.registered(); !slices.Equal(got, []string{"i-0", "i-1", "i-2", "i-worker"}) {
			t.Errorf("%s: registered are %v", kind, got)
		}
	}
}

func (f *fake) registered() []string {
	var ids []string
	if f.classic != nil {
		for _, i := range f.classic.Instances {
			ids = append(ids, *i.InstanceId)
		}
	}
	for _, target := range f.targets {
		ids = append(ids, target.id)
	}
	slices.Sort(ids)
	return ids
}

// TestDeletionTakesOutWhoeverWouldComeBack: a stopped controller gets traffic again
// when it starts.
func TestDeletionTakesOutWhoeverWouldComeBack(t *testing.T) {
	for _, kind := range []int{0, 2} { // Without Create.
		config := configOf(kinds[kind].config)
		config.Prune = true // As --delete has it.
		f := kinds[kind].account()
		f.apply(t, config)
		f.instances[1].State.Name = ec2types.InstanceStateNameStopped
		twin := instanceOf("i-7", "controller-2")
		f.register(twin)
		plan := f.remove(t, config)
		if got := f.registered(); len(got) > 0 {
			t.Errorf("%s: registered are still %v:\n%s", kinds[kind].name, got, plan)
		}
	}
}

func TestVPCByID(t *testing.T) {
	f := chapter3().withELB()
	f.vpcs[0].VpcId = awssdk.String("vpc-0123456789abcdef0")
	f.vpcs = append(f.vpcs, ec2types.Vpc{VpcId: awssdk.String("vpc-1"), Tags: named("kubernetes-the-hard-way")})
	f.classic.VPCId = f.vpcs[0].VpcId
	for i := range f.instances {
		f.instances[i].VpcId = f.vpcs[0].VpcId
	}
	if said := f.apply(t, Default()); !strings.Contains(said, "say --vpc with the ID") {
		t.Errorf("by name: %s", said)
	}
	byID := configOf(func(c *Config) { c.VPC = *f.vpcs[0].VpcId })
	if said := f.apply(t, byID); !strings.Contains(said, "3 to create, 2 to change") {
		t.Errorf("by ID: %s", said)
	}
	byID.VPC = "vpc-0123456789abcdef1"
	if said := f.apply(t, byID); !strings.Contains(said, "no VPC of this region has this ID") {
		t.Errorf("by another ID: %s", said)
	}
}

// TestUserSettingsAreRaisedOnlyWhereAsked leaves all with 0.
func TestUserSettingsAreRaisedOnlyWhereAsked(t *testing.T) {
	leave := func(c *Config) { c.IdleTimeout, c.Draining, c.DeregistrationDelay = 0, 0, 0 }
	for kind, config := range created(leave) {
		f := chapter3()
		f.apply(t, config)
		if f.classic != nil && (*f.classicAttributes.ConnectionSettings.IdleTimeout != 60 || f.classicAttributes.ConnectionDraining.Enabled) || f.network != nil && (f.idle != "350" || f.delay != "300") {
			t.Errorf("%s: they are %+v, %s, %s", kind, f.classicAttributes, f.idle, f.delay)
		}
	}
}

// TestCommands has lines for every step of every plan. That they do what they say,
// test/e2e/lbaws shows by running them.
func TestCommands(t *testing.T) {
	print := func(plan *lb.Plan, err error) string {
		t.Helper()
		if err != nil {
			return "" // It is refused.
		}
		var b strings.Builder
		if err := plan.WriteCommands(&b); err != nil {
			t.Error(err)
		}
		return b.String()
	}
	var commands strings.Builder
	for _, kind := range kinds {
		config := configOf(kind.config)
		config.Prune = true
		f := kind.account()
		commands.WriteString("## " + kind.name + "\n" + print(lb.NewPlan(t.Context(), f.cloud(config))))
		for _, differ := range kind.differ {
			f := kind.account()
			f.apply(t, config)
			differ(f)
			if text := print(lb.NewPlan(t.Context(), f.cloud(config))); !strings.Contains(text, "\naws ") && !strings.Contains(text, "=$(aws ") {
				t.Errorf("%s: %s", kind.name, text)
			}
		}
		f.apply(t, config)
		commands.WriteString("## deletion of " + kind.name + "\n" + print(lb.NewDeletion(t.Context(), f.cloud(config))))
	}
	golden.Equal(t, "commands.txt", []byte(commands.String()))
}

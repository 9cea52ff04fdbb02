// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/khw-controller/khw-controller/internal/golden"
	"github.com/khw-controller/khw-controller/pkg/lb"
)

// notCalled are the permissions that AWS wants beside that of the call when
// something is created, with tags, or first, and those that its services use in
// the caller's name.
var notCalled = []string{"ec2:CreateTags", "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "elasticloadbalancing:AddTags", "iam:CreateServiceLinkedRole"}

// combination is one of all combinations of the flags that count.
type combination struct {
	name   string
	config Config
	use    lb.Use
}

func combinations() []combination {
	var all []combination
	uses := map[string]lb.Use{
		"dry-run": {}, "apply": {Change: true}, "wait": {Change: true, Health: true}, "status": {Health: true},
		"delete": {Change: true, Delete: true}, "delete dry-run": {Delete: true},
	}
	for _, kind := range Types {
		for _, create := range []bool{false, true} {
			for _, prune := range []bool{false, true} {
				for _, raise := range []bool{false, true} {
					for _, use := range sortedKeys(uses) {
						c := configOf(func(c *Config) {
							c.Type, c.Create, c.Prune = kind, create, prune || uses[use].Delete
							if !raise {
								c.IdleTimeout, c.Draining, c.DeregistrationDelay = 0, 0, 0
							}
						})
						all = append(all, combination{fmt.Sprintf("%s create=%t prune=%t raise=%t %s", kind, create, prune, raise, use), c, uses[use]})
					}
				}
			}
		}
	}
	return all
}

// TestPolicyIsWhatIsCalled runs each combination in accounts that differ in all
// ways, where everything that the policy does not allow is denied, and wants each
// thing that it allows to be called.
func TestPolicyIsWhatIsCalled(t *testing.T) {
	for _, c := range combinations() {
		t.Run(c.name, func(t *testing.T) {
			d := policyOf(t, c.config, c.use)
			called := map[string]bool{}
			for _, f := range accountsFor(t, c.config) {
				f.calls = nil
				f.allow = func(call string, in any) error { return d.authorize(f, call, in) }
				c.run(t, f)
				for _, call := range f.calls {
					called[call] = true
				}
			}
			for action := range d.actions() {
				if !called[action] && !slices.Contains(notCalled, action) {
					t.Errorf("%s is allowed and never called", action)
				}
			}
		})
	}
}

// run does what the flags do.
func (c combination) run(t *testing.T, f *fake) {
	t.Helper()
	cloud := f.cloud(c.config)
	if !c.use.Change && !c.use.Delete && c.use.Health {
		if _, err := lb.ReadStatus(t.Context(), cloud); err != nil {
			t.Error(err)
		}
		return
	}
	plan, err := newPlan(t, cloud, c.use.Delete)
	switch {
	case err != nil && strings.Contains(err.Error(), "AccessDenied"):
		t.Error(err)
	case err != nil:
		return // It is refused.
	case c.use.Change:
		if err := plan.Apply(t.Context(), func(lb.Step) {}); err != nil {
			t.Error(err)
		}
	}
	if c.use.Health {
		if _, err := cloud.Health(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// accountsFor are an empty one, and one for each difference from what is wanted
// that the load balancers of the type can have.
func accountsFor(t *testing.T, config Config) []*fake {
	all := []*fake{chapter3(), chapter3().withELB(), chapter3(), chapter3()}
	all[1].classic = nil
	for _, f := range all[2:] {
		f.subnets = nil // Chapter 3's would be left by a deletion.
	}
	all[3].apply(t, configOf(func(c *Config) { c.Create, c.Type, c.AllowFrom = true, config.Type, []string{"192.0.2.0/24"} }))
	for _, kind := range kinds {
		if configOf(kind.config).Type != config.Type {
			continue
		}
		for _, differ := range slices.Collect(maps.Values(kind.differ)) {
			f := kind.account()
			f.apply(t, configOf(kind.config))
			differ(f)
			all = append(all, f)
		}
		f := kind.account()
		f.apply(t, configOf(kind.config))
		f.register(terminated("i-old", "controller-0"))
		all = append(all, f)
	}
	return all
}

func policyOf(t *testing.T, c Config, use lb.Use) document {
	t.Helper()
	text, err := Policy(c, use)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d document) actions() map[string]bool {
	all := map[string]bool{}
	for _, s := range d.Statement {
		for _, a := range s.Action {
			all[a] = true
		}
	}
	return all
}

// request is one thing that IAM decides about: an action on a resource, with what
// it knows of it.
type request struct {
	action, arn string
	context     map[string]string
}

// authorize decides about a call as IAM does: each of its resources has to be
// allowed.
func (d document) authorize(f *fake, call string, in any) error {
	for _, r := range f.requests(call, in) {
		if !d.allows(r) {
			return refused(403, "AccessDenied")
		}
	}
	return nil
}

func (d document) allows(r request) bool {
	return slices.ContainsFunc(d.Statement, func(s statement) bool {
		return slices.Contains(s.Action, r.action) && slices.ContainsFunc(s.Resource, func(pattern string) bool { return pattern == "*" || arnMatches(pattern, r.arn) }) && s.holds(r)
	})
}

func arnMatches(pattern, arn string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/*", "/?*"), arn)
	return ok && err == nil
}

func (s statement) holds(r request) bool {
	for key, values := range s.Condition["StringEquals"] {
		if !slices.Contains(values, r.context[key]) {
			return false
		}
	}
	return true
}

// requests are what IAM decides about for one call; of the resources, those of
// EC2 alone have conditions.
func (f *fake) requests(call string, in any) []request {
	const prefix = "arn:aws:ec2:us-east-1:123456789012:"
	mark := func(kind string, specs []ec2types.TagSpecification) []request {
		asked := map[string]string{"ec2:CreateAction": strings.TrimPrefix(call, "ec2:")}
		if len(specs) > 0 {
			asked["aws:RequestTag/"+lb.OwnerKey] = tag(specs[0].Tags, lb.OwnerKey)
		}
		return []request{{call, prefix + kind + "/new", asked}, {"ec2:CreateTags", prefix + kind + "/new", asked}}
	}
	has := func(kind string, id *string, tags []ec2types.Tag) request {
		return request{call, prefix + kind + "/" + *id, map[string]string{"aws:ResourceTag/" + lb.OwnerKey: tag(tags, lb.OwnerKey)}}
	}
	group := func(id *string) request {
		i := slices.IndexFunc(f.groups, func(g ec2types.SecurityGroup) bool { return *g.GroupId == *id })
		return has("security-group", id, f.groups[i].Tags)
	}
	switch in := in.(type) {
	case *ec2.CreateSecurityGroupInput:
		return append(mark("security-group", in.TagSpecifications), has("vpc", in.VpcId, nil))
	case *ec2.CreateSubnetInput:
		return append(mark("subnet", in.TagSpecifications), has("vpc", in.VpcId, nil))
	case *ec2.AuthorizeSecurityGroupIngressInput:
		return append(mark("security-group-rule", in.TagSpecifications), group(in.GroupId))
	case *ec2.RevokeSecurityGroupIngressInput:
		all := []request{group(in.GroupId)}
		for _, r := range f.rules {
			if slices.Contains(in.SecurityGroupRuleIds, *r.SecurityGroupRuleId) {
				all = append(all, has("security-group-rule", r.SecurityGroupRuleId, r.Tags))
			}
		}
		return all
	case *ec2.DeleteSecurityGroupInput:
		return []request{group(in.GroupId)}
	case *ec2.DeleteSubnetInput:
		i := slices.IndexFunc(f.subnets, func(s ec2types.Subnet) bool { return *s.SubnetId == *in.SubnetId })
		return []request{has("subnet", in.SubnetId, f.subnets[i].Tags)}
	}
	arn := "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/kubernetes"
	if strings.Contains(fmt.Sprintf("%T", in), "elasticloadbalancingv2") {
		arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/kubernetes/1"
	}
	return []request{{action: call, arn: arn}}
}

// TestPolicyAllowsNothingUnmarked tries to make, mark and remove what this program
// would not.
func TestPolicyAllowsNothingUnmarked(t *testing.T) {
	config := configOf(func(c *Config) { c.Create = true })
	made, undone := policyOf(t, config, lb.Use{Change: true}), policyOf(t, config, lb.Use{Change: true, Delete: true})
	f := chapter3().withELB()
	other := func(specs []ec2types.TagSpecification) []ec2types.TagSpecification {
		specs[0].Tags[0].Value = awssdk.String("somebody")
		return specs
	}
	for name, in := range map[string]struct {
		d    document
		call string
		in   any
	}{
		"a group without tags":     {made, "ec2:CreateSecurityGroup", &ec2.CreateSecurityGroupInput{VpcId: awssdk.String("vpc-lab")}},
		"a group of others":        {made, "ec2:CreateSecurityGroup", &ec2.CreateSecurityGroupInput{VpcId: awssdk.String("vpc-lab"), TagSpecifications: other(tags(ec2types.ResourceTypeSecurityGroup, ""))}},
		"a subnet without tags":    {made, "ec2:CreateSubnet", &ec2.CreateSubnetInput{VpcId: awssdk.String("vpc-lab")}},
		"a rule without tags":      {made, "ec2:AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{GroupId: awssdk.String("sg-internal")}},
		"removing others' rules":   {undone, "ec2:RevokeSecurityGroupIngress", &ec2.RevokeSecurityGroupIngressInput{GroupId: awssdk.String("sg-external"), SecurityGroupRuleIds: []string{"sgr-external"}}},
		"removing others' groups":  {undone, "ec2:DeleteSecurityGroup", &ec2.DeleteSecurityGroupInput{GroupId: awssdk.String("sg-external")}},
		"removing others' subnets": {undone, "ec2:DeleteSubnet", &ec2.DeleteSubnetInput{SubnetId: awssdk.String("subnet-lab")}},
	} {
		if in.d.authorize(f, in.call, in.in) == nil {
			t.Errorf("%s is allowed", name)
		}
	}
	marks := map[string]string{"aws:RequestTag/" + lb.OwnerKey: lb.Owner}
	if made.allows(request{"ec2:CreateTags", "arn:aws:ec2:us-east-1:123456789012:security-group/sg-external", marks}) {
		t.Error("what is there may be marked")
	}
	if made.allows(request{action: "elasticloadbalancing:ConfigureHealthCheck", arn: "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/web"}) {
		t.Error("another load balancer may be changed")
	}
}

func TestPolicies(t *testing.T) {
	for _, kind := range kinds {
		config := configOf(kind.config)
		var text strings.Builder
		for _, use := range []lb.Use{{Change: true, Health: true}, {Change: true, Delete: true}} {
			policy, err := Policy(config, use)
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString(policy + "\n")
		}
		golden.Equal(t, "policy-"+kind.name+".json", []byte(text.String()))
	}
}

func TestPolicyNamesTheLoadBalancer(t *testing.T) {
	for region, want := range map[string]string{
		"":              "arn:aws:elasticloadbalancing:*:*:loadbalancer/mine",
		"eu-west-1":     "arn:aws:elasticloadbalancing:eu-west-1:*:loadbalancer/mine",
		"cn-north-1":    "arn:aws-cn:elasticloadbalancing:cn-north-1:*:loadbalancer/mine",
		"us-gov-east-1": "arn:aws-us-gov:elasticloadbalancing:us-gov-east-1:*:loadbalancer/mine",
	} {
		text, err := Policy(configOf(func(c *Config) { c.Region, c.LoadBalancer = region, "mine" }), lb.Use{Change: true})
		if err != nil || !strings.Contains(text, `"`+want+`"`) {
			t.Errorf("%v, %s is not in %s", err, want, text)
		}
	}
	text, err := Policy(configOf(func(c *Config) { c.Create, c.VPC = true, "vpc-0123456789abcdef0" }), lb.Use{Change: true})
	if want := `"arn:aws:ec2:*:*:vpc/vpc-0123456789abcdef0"`; err != nil || !strings.Contains(text, want) {
		t.Errorf("%v, %s is not in %s", err, want, text)
	}
}

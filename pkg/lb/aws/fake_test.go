// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbv1 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	v1types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	v2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// attemptsInTests is how often a call is made that fails for no lasting reason.
const attemptsInTests = 3

// fake is an AWS account behind the SDK: calls pass its validation, signing and
// retries, and instead of going out are answered from what is here. The scenario
// test/e2e/lbaws goes over the wire; here are the failures, and what AWS does and
// an emulator does not: what was let go is in use for a while, answers come in
// pages, a listener goes with its load balancer.
type fake struct {
	vpcs      []ec2types.Vpc
	subnets   []ec2types.Subnet
	groups    []ec2types.SecurityGroup
	rules     []ec2types.SecurityGroupRule
	instances []ec2types.Instance

	offline bool // no internet gateway

	classic           *v1types.LoadBalancerDescription
	classicTags       []v1types.Tag
	classicAttributes v1types.LoadBalancerAttributes
	// otherClassic is another one, which has the same security group.
	otherClassic *v1types.LoadBalancerDescription

	network      *v2types.LoadBalancer
	targetGroup  *v2types.TargetGroup
	listeners    []v2types.Listener
	networkTags  map[string][]v2types.Tag
	networkCross string
	idle         string
	delay        string
	targets      []target

	// inUse is how often what a load balancer used cannot be deleted after it.
	inUse int
	// patience is a minute unless a test waits for its end.
	patience time.Duration
	// fail decides about each attempt of each call, by its name in IAM.
	fail func(call string) error
	// lose decides whether the answer to a call that was carried out gets lost.
	lose func(call string) bool
	// allow decides about each call with its input.
	allow func(call string, in any) error
	// calls are the attempts, by their names in IAM.
	calls []string
	made  int
}

type inputKey struct{}

// cloud is the Cloud of a Config in this account.
func (f *fake) cloud(c Config) *Cloud {
	sdk := awssdk.Config{
		Region: "us-east-1",
		Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
			return awssdk.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
		Retryer: func() awssdk.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.RateLimiter = attemptsInTests, noLimit{}
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
	w := &watch{tell: c.Tell}
	sdk.APIOptions = []func(*middleware.Stack) error{f.install, w.install}
	return newCloud(c, place{"123456789012", sdk.Region}, &account{
		watch: w,
		ec2:   newEC2Calls(ec2.NewFromConfig(sdk)), elb: elbv1.NewFromConfig(sdk), elbv2: elbv2.NewFromConfig(sdk),
		pace: lb.Pace{Pause: time.Millisecond, Patience: cmp.Or(f.patience, time.Minute)},
	})
}

// noLimit is a retry quota without end, so that each call has all its attempts.
type noLimit struct{}

func (noLimit) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (noLimit) AddTokens(uint) error { return nil }

func (f *fake) install(stack *middleware.Stack) error {
	err := stack.Initialize.Add(middleware.InitializeMiddlewareFunc("input", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		return next.HandleInitialize(middleware.WithStackValue(ctx, inputKey{}, in.Parameters), in)
	}), middleware.Before)
	if err != nil {
		return err
	}
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("fake", func(ctx context.Context, _ middleware.DeserializeInput, _ middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		call := action(awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx))
		f.calls = append(f.calls, call)
		var out middleware.DeserializeOutput
		if f.fail != nil {
			if err := f.fail(call); err != nil {
				return out, middleware.Metadata{}, err
			}
		}
		in := middleware.GetStackValue(ctx, inputKey{})
		if f.allow != nil {
			if err := f.allow(call, in); err != nil {
				return out, middleware.Metadata{}, err
			}
		}
		var err error
		out.Result, err = f.answer(in)
		if err == nil && f.lose != nil && f.lose(call) {
			err = unsent(io.ErrUnexpectedEOF)
		}
		return out, middleware.Metadata{}, err
	}), middleware.Before)
}

func (f *fake) answer(in any) (any, error) {
	for _, service := range []func(any) (any, error){f.answerEC2, f.answerClassic, f.answerNetwork} {
		if out, err := service(in); out != nil || err != nil {
			return out, err
		}
	}
	return nil, fmt.Errorf("the fake account does not know %T", in)
}

// refused is an error as the API returns it.
func refused(status int, code string) error {
	return &awshttp.ResponseError{RequestID: "1-2-3", ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: http.Header{}}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "the fake account\nsays " + code + ". Encoded authorization failure message: AAAA"},
	}}
}

// unsent is an error as the HTTP client returns it.
func unsent(err error) error {
	return &smithyhttp.RequestSendError{Err: &url.Error{Op: "Post", URL: "https://elasticloadbalancing.us-east-1.amazonaws.com/", Err: err}}
}

// newID makes IDs that look the same in every run.
func (f *fake) newID(prefix string) *string {
	f.made++
	return awssdk.String(fmt.Sprintf("%s-%d", prefix, f.made))
}

// chapter3 is an account after the lab's chapter 3, without its load balancer and
// the security group of that.
func chapter3() *fake {
	f := &fake{networkTags: map[string][]v2types.Tag{}}
	f.vpcs = []ec2types.Vpc{{VpcId: awssdk.String("vpc-lab"), Tags: named("kubernetes-the-hard-way")}}
	f.subnets = []ec2types.Subnet{{
		SubnetId: awssdk.String("subnet-lab"), VpcId: awssdk.String("vpc-lab"), CidrBlock: awssdk.String("10.240.0.0/24"),
		AvailabilityZone: awssdk.String("us-east-1a"), State: ec2types.SubnetStateAvailable, Tags: named("kubernetes-the-hard-way_subnet"),
	}}
	f.groups = []ec2types.SecurityGroup{{GroupId: awssdk.String("sg-internal"), GroupName: awssdk.String("kubernetes-the-hard-way-allow-internal"), VpcId: awssdk.String("vpc-lab")}}
	f.rules = []ec2types.SecurityGroupRule{rule("sgr-internal", "sg-internal", 0, 65535, "10.240.0.0/24")}
	for i := range 3 {
		f.instances = append(f.instances, instanceOf(fmt.Sprintf("i-%d", i), fmt.Sprintf("controller-%d", i)))
	}
	return f
}

// withELB adds the classic load balancer that chapter 3 ends with.
func (f *fake) withELB() *fake {
	f.groups = append(f.groups, ec2types.SecurityGroup{GroupId: awssdk.String("sg-external"), GroupName: awssdk.String("kubernetes-the-hard-way-allow-external"), VpcId: awssdk.String("vpc-lab")})
	f.rules = append(f.rules, rule("sgr-external", "sg-external", 6443, 6443, "0.0.0.0/0"))
	f.classicAttributes = v1types.LoadBalancerAttributes{
		ConnectionSettings:     &v1types.ConnectionSettings{IdleTimeout: awssdk.Int32(60)},
		ConnectionDraining:     &v1types.ConnectionDraining{Timeout: awssdk.Int32(300)},
		CrossZoneLoadBalancing: &v1types.CrossZoneLoadBalancing{},
	}
	f.classic = &v1types.LoadBalancerDescription{
		LoadBalancerName: awssdk.String("kubernetes"), DNSName: awssdk.String("kubernetes-1.elb.amazonaws.com"), VPCId: awssdk.String("vpc-lab"),
		Scheme: awssdk.String("internet-facing"), AvailabilityZones: []string{"us-east-1a"}, Subnets: []string{"subnet-lab"}, SecurityGroups: []string{"sg-external"},
		ListenerDescriptions: []v1types.ListenerDescription{{Listener: &v1types.Listener{Protocol: awssdk.String("TCP"), LoadBalancerPort: 6443, InstanceProtocol: awssdk.String("TCP"), InstancePort: awssdk.Int32(6443)}}},
		// What AWS gives one that was made with the lab's command.
		HealthCheck: &v1types.HealthCheck{Target: awssdk.String("TCP:6443"), Interval: awssdk.Int32(30), Timeout: awssdk.Int32(5), HealthyThreshold: awssdk.Int32(10), UnhealthyThreshold: awssdk.Int32(2)},
	}
	return f
}

func named(name string) []ec2types.Tag {
	return []ec2types.Tag{{Key: awssdk.String("Name"), Value: &name}}
}

func rule(id, group string, from, to int32, cidr string) ec2types.SecurityGroupRule {
	return ec2types.SecurityGroupRule{SecurityGroupRuleId: &id, GroupId: &group, IpProtocol: awssdk.String("tcp"), FromPort: &from, ToPort: &to, CidrIpv4: &cidr}
}

// launched is when the instances were.
var launched = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func instanceOf(id, name string) ec2types.Instance {
	return ec2types.Instance{
		InstanceId: &id, VpcId: awssdk.String("vpc-lab"), SubnetId: awssdk.String("subnet-lab"), PrivateIpAddress: awssdk.String("10.240.0.1" + strings.TrimPrefix(id, "i-")),
		State: &ec2types.InstanceState{Name: ec2types.InstanceStateNameRunning}, LaunchTime: &launched, Placement: &ec2types.Placement{AvailabilityZone: awssdk.String("us-east-1a")}, Tags: named(name),
	}
}

// page returns the one thing of a list that a token asks for, and the next token:
// every list comes in pages of one.
func page[T any](all []T, token *string) ([]T, *string) {
	if len(all) == 0 {
		return nil, nil
	}
	i := 0
	if token != nil {
		_, _ = fmt.Sscan(*token, &i)
	}
	if i+1 >= len(all) {
		return all[i:], nil
	}
	return all[i : i+1], awssdk.String(fmt.Sprint(i + 1))
}

// matches reports whether a value is one of those of a filter, if there is one of
// that name.
func matches(filters []ec2types.Filter, name string, value *string) bool {
	for _, f := range filters {
		if awssdk.ToString(f.Name) == name {
			return slices.Contains(f.Values, awssdk.ToString(value))
		}
	}
	return true
}

// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// attempts is how often a call is made that is throttled, fails in the service
// or times out, unless AWS_MAX_ATTEMPTS or the profile says otherwise. The
// SDK's 3 are gone within two seconds of throttling.
const attempts = 8

// New finds credentials, region and account. Config has to be valid.
func New(ctx context.Context, c Config) (*Cloud, error) {
	c.Tell("the credentials")
	w := &watch{tell: c.Tell}
	sdk, err := load(ctx, c)
	if err != nil {
		return nil, err
	}
	sdk.APIOptions = append(sdk.APIOptions, w.install)
	return newCloud(c, place{accountOf(ctx, sdk), sdk.Region}, &account{
		ec2:   newEC2Calls(ec2.NewFromConfig(sdk)),
		elb:   elasticloadbalancing.NewFromConfig(sdk),
		elbv2: elasticloadbalancingv2.NewFromConfig(sdk),
		watch: w,
		pace:  lb.Pace{Pause: 5 * time.Second, Patience: 5 * time.Minute},
	}), nil
}

func load(ctx context.Context, c Config) (awssdk.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(c.RequestTimeout)),
		// It warns on stderr of what comes back as an error, or is no matter.
		config.WithLogger(logging.Nop{}),
	}
	if c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.Profile))
	}
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	sdk, err := config.LoadDefaultConfig(ctx, options...)
	var noProfile config.SharedConfigProfileNotExistError
	switch {
	case errors.As(err, &noProfile):
		return sdk, fmt.Errorf("--profile %s: there is no such profile; aws configure list-profiles shows them", noProfile.Profile)
	case err != nil:
		return sdk, fmt.Errorf("reading the AWS configuration: %s", oneLine(err.Error()))
	case sdk.Region == "":
		sdk.Region = ownRegion(ctx, sdk)
	}
	switch {
	case sdk.Region == "":
		return sdk, errors.New("no AWS region is set; use --region, AWS_REGION or aws configure")
	case !regionName.MatchString(sdk.Region):
		return sdk, fmt.Errorf("%q is no AWS region; use --region with one such as us-east-1", sdk.Region)
	}
	if _, err := sdk.Credentials.Retrieve(ctx); err != nil {
		return sdk, fmt.Errorf("no AWS credentials: %s; run aws configure or aws sso login, name a --profile, or give this instance a role", oneLine(err.Error()))
	}
	if sdk.RetryMaxAttempts == 0 {
		sdk.RetryMaxAttempts = attempts
	}
	return sdk, nil
}

// regionName is how regions of all of AWS's partitions are called.
var regionName = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)

// ownRegion is the one that this machine is in, or "" elsewhere than on AWS.
func ownRegion(ctx context.Context, sdk awssdk.Config) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := imds.NewFromConfig(sdk).GetRegion(ctx, &imds.GetRegionInput{})
	if err != nil {
		return ""
	}
	return out.Region
}

// accountOf is whose credentials these are, or "" where that cannot be asked: it
// takes no permission, but a network may let its machines to EC2 only.
func accountOf(ctx context.Context, sdk awssdk.Config) string {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	client := sts.NewFromConfig(sdk, func(o *sts.Options) { o.Retryer = retry.AddWithMaxAttempts(retry.NewStandard(), 1) })
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return ""
	}
	return awssdk.ToString(out.Account)
}

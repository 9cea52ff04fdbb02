// SPDX-License-Identifier: Apache-2.0

package bucket

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/khw-controller/khw-controller/pkg/connerr"
)

// Config is where a bucket is.
type Config struct {
	// Name is the bucket's, and Prefix what all keys of ours begin with.
	Name, Prefix string
	// Endpoint is the store's URL; empty for AWS, or what AWS_ENDPOINT_URL_S3 says.
	Endpoint string
	// Region is the bucket's; empty for what the environment, the profile or the
	// machine says.
	Region string
	// CAFile is a PEM file with the CAs that are trusted beside the machine's; empty
	// for none.
	CAFile string
}

// Pace of a connection to a store.
const (
	dialTimeout     = 5 * time.Second
	answerTimeout   = 30 * time.Second
	identityTimeout = 10 * time.Second
)

// Flags of run that a Config is made of, as its errors name them.
const (
	bucketFlag   = "--snapshot-s3-bucket"
	endpointFlag = "--snapshot-s3-endpoint"
	regionFlag   = "--snapshot-s3-region"
	caFlag       = "--snapshot-s3-ca-file"
)

// Open finds credentials and a region for the bucket. It does not ask the store
// anything yet.
func Open(ctx context.Context, c Config) (*Bucket, error) {
	sdk, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	client := s3.NewFromConfig(sdk, func(o *s3.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = &c.Endpoint
		}
		// AWS gives each bucket a host name of its own; elsewhere that takes a DNS zone.
		o.UsePathStyle = o.BaseEndpoint != nil
	})
	return &Bucket{config: c, client: client}, nil
}

func (c Config) load(ctx context.Context) (aws.Config, error) {
	if err := c.validate(); err != nil {
		return aws.Config{}, err
	}
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().
			WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
			WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = answerTimeout })),
		// It warns on stderr of what comes back as an error, or is no matter.
		config.WithLogger(logging.Nop{}),
	}
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return aws.Config{}, fmt.Errorf("%s: %w", caFlag, err)
		}
		options = append(options, config.WithCustomCABundle(bytes.NewReader(pem)))
	}
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	sdk, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return sdk, fmt.Errorf("reading the AWS configuration for the bucket %s: %s", c.Name, connerr.OneLine(err))
	}
	if sdk.Region == "" {
		sdk.Region = c.ownRegion(ctx, sdk)
	}
	if sdk.Region == "" {
		return sdk, fmt.Errorf("no region is known for the bucket %s; set %s", c.Name, regionFlag)
	}
	if _, err := sdk.Credentials.Retrieve(ctx); err != nil {
		return sdk, fmt.Errorf("no credentials for the bucket %s: %s; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, give the user a ~/.aws/credentials, or this machine a role",
			c.Name, connerr.OneLine(err))
	}
	return sdk, nil
}

// validate refuses what can be told without asking anybody.
func (c Config) validate() error {
	if c.Name == "" {
		return fmt.Errorf("%s is not set", bucketFlag)
	}
	if c.Endpoint == "" {
		return nil
	}
	if u, err := url.Parse(c.Endpoint); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%s %q is no URL; write it like https://minio.example.org:9000", endpointFlag, c.Endpoint)
	}
	return nil
}

// ownRegion is the region of this machine on AWS, and AWS's first one for a store
// elsewhere: those have none, or take that.
func (c Config) ownRegion(ctx context.Context, sdk aws.Config) string {
	if c.Endpoint != "" || sdk.BaseEndpoint != nil || os.Getenv("AWS_ENDPOINT_URL_S3") != "" {
		return "us-east-1"
	}
	out, err := imds.NewFromConfig(sdk).GetRegion(ctx, &imds.GetRegionInput{})
	if err != nil {
		return ""
	}
	return out.Region
}

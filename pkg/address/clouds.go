// SPDX-License-Identifier: Apache-2.0

package address

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"cloud.google.com/go/compute/metadata"
	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// gcp asks instance/network-interfaces/0/ip, as the lab does.
func gcp(ctx context.Context) (Result, error) {
	ip, err := GCPMetadata().InternalIPWithContext(ctx)
	if err != nil {
		return Result{}, err
	}
	return parse(ip, GCP, "GCP metadata")
}

// GCPMetadata is a client of GCP's metadata service that believes no other
// server's answers and gives up within a second.
func GCPMetadata() *metadata.Client {
	return metadata.NewWithOptions(&metadata.Options{Client: flavored(client())})
}

// flavored refuses answers that do not come from Google: on other networks
// anything may answer at the link-local address.
func flavored(c *http.Client) *http.Client {
	next := c.Transport
	c.Transport = roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err == nil && resp.Header.Get("Metadata-Flavor") != "Google" {
			resp.Body.Close()
			return nil, errors.New("the answer is not from a GCP metadata service")
		}
		return resp, err
	})
	return c
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// aws asks for local-ipv4, as the lab does, but with IMDSv2 first.
func aws(ctx context.Context) (Result, error) {
	state := imds.ClientEnabled
	if strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		state = imds.ClientDisabled
	}
	v2 := false
	hc := client()
	next := hc.Transport
	hc.Transport = roundTripper(func(req *http.Request) (*http.Response, error) {
		v2 = req.Header.Get("X-Aws-Ec2-Metadata-Token") != ""
		return next.RoundTrip(req)
	})
	c := imds.New(imds.Options{
		HTTPClient:        hc,
		Retryer:           awssdk.NopRetryer{},
		ClientEnableState: state,
		Endpoint:          os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
	})
	out, err := c.GetMetadata(ctx, &imds.GetMetadataInput{Path: "local-ipv4"})
	if err != nil {
		return Result{}, fmt.Errorf("asking AWS metadata: %w", err)
	}
	defer out.Content.Close()
	answer, err := io.ReadAll(io.LimitReader(out.Content, 256))
	if err != nil {
		return Result{}, err
	}
	version := "IMDSv1"
	if v2 {
		version = "IMDSv2"
	}
	return parse(strings.TrimSpace(string(answer)), AWS, "AWS metadata ("+version+")")
}

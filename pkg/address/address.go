// SPDX-License-Identifier: Apache-2.0

// Package address finds out at which address other machines reach this one,
// as the lab does with curl: from the metadata service of GCP or AWS, and on
// any other machine from its default route.
package address

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// timeout bounds both metadata services together.
const timeout = 800 * time.Millisecond

// ErrNotFound is the error of a machine that has no address to advertise.
var ErrNotFound = errors.New("no address to advertise was found")

// Result is an address and where it came from, in words.
type Result struct {
	IP     net.IP
	Source string
	// Cloud is GCP or AWS where one of them has told it, else "".
	Cloud string
}

// The clouds, as --cloud has them.
const (
	GCP = "gcp"
	AWS = "aws"
)

// Detect asks the cloud that the machine's firmware names and falls back to the
// default route. It takes less than a second, and no time on a machine of neither.
// The SDKs' own environment variables (GCE_METADATA_HOST,
// AWS_EC2_METADATA_SERVICE_ENDPOINT, AWS_EC2_METADATA_DISABLED) hold.
func Detect(ctx context.Context) (Result, error) {
	return detector{
		clouds:       readDMI(dmiDir).clouds(os.Getenv),
		defaultRoute: utilnet.ChooseHostInterface,
		timeout:      timeout,
	}.detect(ctx)
}

// source asks one metadata service.
type source func(ctx context.Context) (Result, error)

type detector struct {
	clouds       []source
	defaultRoute func() (net.IP, error)
	timeout      time.Duration
}

func (d detector) detect(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	answers := make(chan Result, len(d.clouds))
	failed := make(chan struct{}, len(d.clouds))
	for _, ask := range d.clouds {
		go func() {
			if r, err := ask(ctx); err == nil {
				answers <- r
			} else {
				failed <- struct{}{}
			}
		}()
	}
	for range d.clouds {
		select {
		case r := <-answers:
			return r, nil
		case <-failed:
		case <-ctx.Done():
		}
	}
	ip, err := d.defaultRoute()
	if err != nil {
		return Result{}, fmt.Errorf("%w, neither from GCP or AWS metadata nor from a default route (%w)", ErrNotFound, err)
	}
	return Result{IP: ip, Source: "the default route"}, nil
}

// client never waits for a proxy or a name: metadata services are link-local.
func client() *http.Client {
	dialer := net.Dialer{Timeout: timeout}
	return &http.Client{Timeout: timeout, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
}

func parse(answer, cloud, source string) (Result, error) {
	ip := net.ParseIP(answer)
	if !ip.IsGlobalUnicast() {
		return Result{}, fmt.Errorf("%s answers %q, which is not an address", source, answer)
	}
	return Result{IP: ip, Source: source, Cloud: cloud}, nil
}

// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"google.golang.org/api/compute/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"k8s.io/apimachinery/pkg/util/wait"
)

// client calls the API for one region of a project. The SDK's own calls are made
// once; here they are made again when that may help.
type client struct {
	*compute.Service
	project, region string
	pace            pace
	tell            func(what string) // who waits is told what for

	underway map[string]map[string]*compute.Operation // by scope, then by the tail of what it changes
}

// pace is how patient a client is.
type pace struct {
	request  time.Duration // for each answer
	retry    wait.Backoff  // between attempts
	poll     wait.Backoff  // between looks at an operation
	busy     time.Duration // between attempts that collide with another's operation
	patience time.Duration // for an operation
}

// defaultPace gives a throttled call, whose quota is counted by the minute, about
// a minute; operations of these kinds take 2 to 30 seconds.
func defaultPace(request time.Duration) pace {
	return pace{
		request:  request,
		retry:    wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 7, Cap: 20 * time.Second},
		poll:     wait.Backoff{Duration: 100 * time.Millisecond, Factor: 1.5, Steps: 100, Cap: 3 * time.Second},
		busy:     3 * time.Second,
		patience: 5 * time.Minute,
	}
}

func newClient(ctx context.Context, c Config) (*client, error) {
	options := []option.ClientOption{option.WithUserAgent("khw-controller"), option.WithTelemetryDisabled()}
	if c.Endpoint != "" {
		options = append(options, option.WithEndpoint(c.Endpoint))
	}
	if strings.HasPrefix(c.Endpoint, "http:") {
		options = append(options, option.WithoutAuthentication()) // no secret in the clear
	} else {
		credentials, err := c.Credentials.options()
		if err != nil {
			return nil, err
		}
		options = append(options, credentials...)
	}
	c.Tell("Google credentials")
	service, err := compute.NewService(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("no Google credentials: %s; run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account", oneLine(err.Error()))
	}
	return &client{Service: service, project: c.Project, region: c.Region, pace: defaultPace(c.RequestTimeout), tell: c.Tell, underway: map[string]map[string]*compute.Operation{}}, nil
}

// call makes a call until it succeeds, fails for good, or has failed too often.
// what is the method that it calls, such as firewalls.get.
func call[T any](ctx context.Context, c *client, what string, do func(context.Context) (T, error)) (T, error) {
	pause := c.pace.retry
	for attempt := 1; ; attempt++ {
		if attempt == 1 {
			c.tell("compute." + what)
		} else {
			c.tell(fmt.Sprintf("compute.%s, attempt %d", what, attempt))
		}
		once, cancel := context.WithTimeout(ctx, c.pace.request)
		result, err := do(once)
		cancel()
		switch {
		case err == nil, ctx.Err() != nil, !transient(err):
			return result, err
		case attempt == c.pace.retry.Steps:
			return result, &exhausted{attempts: attempt, err: err}
		}
		if err := sleep(ctx, pause.Step()); err != nil {
			return result, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// exhausted is the error of a call that was tried again in vain.
type exhausted struct {
	attempts int
	err      error
}

func (e *exhausted) Error() string { return fmt.Sprintf("%v (%d attempts)", e.err, e.attempts) }
func (e *exhausted) Unwrap() error { return e.err }

// transient reports whether another attempt may succeed. A name that does not
// resolve or a port that is closed is told at once.
func transient(err error) bool {
	var api *googleapi.Error
	if errors.As(err, &api) {
		return throttled(api) || slices.Contains([]int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, api.Code)
	}
	return timedOut(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// throttled reports whether a rate was exceeded; Compute Engine says so with 403 too.
func throttled(err *googleapi.Error) bool {
	return err.Code == http.StatusTooManyRequests || err.Code == http.StatusForbidden && hasReason(err, "rateLimitExceeded", "userRateLimitExceeded")
}

func timedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

func hasReason(err *googleapi.Error, reasons ...string) bool {
	return slices.ContainsFunc(err.Errors, func(item googleapi.ErrorItem) bool { return slices.Contains(reasons, item.Reason) })
}

// hasCode reports whether the API answered with this HTTP status.
func hasCode(err error, code int) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && api.Code == code
}

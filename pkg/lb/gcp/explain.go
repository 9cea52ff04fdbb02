// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// Explain is part of lb.Cloud.
func (c *Cloud) Explain(err error) error { return c.client.explain(err) }

// explained says in one line what is to be done, and keeps the API's error.
type explained struct {
	text  string
	cause error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.cause }

func (c *client) explain(err error) error {
	var done *explained
	var failed *operationError
	var api *googleapi.Error
	switch {
	case errors.As(err, &done):
		return err
	case errors.Is(err, context.Canceled):
		return &explained{"interrupted", err}
	case errors.As(err, &failed):
		return &explained{explainOperation(failed), err}
	case errors.As(err, &api):
		said := strings.TrimRight(oneLine(api.Message), ".") + attempts(err)
		return &explained{c.explainAPI(api, said), err}
	case timedOut(err):
		return &explained{fmt.Sprintf("%s did not answer within %s%s; check the network and the proxy settings, or raise --request-timeout", c.host(), c.pace.request, attempts(err)), err}
	}
	return c.explainUnreached(err)
}

// explainUnreached is of errors that never got to the API.
func (c *client) explainUnreached(err error) error {
	var unreached *url.Error
	switch {
	case !errors.As(err, &unreached):
		return err
	case strings.Contains(unreached.Error(), "fetch token"):
		return &explained{fmt.Sprintf("Google gives no token for the credentials: %s; run gcloud auth application-default login", oneLine(unreached.Err.Error())), err}
	}
	return &explained{fmt.Sprintf("%s cannot be reached: %s%s; check the network and the proxy settings", c.host(), oneLine(unreached.Err.Error()), attempts(err)), err}
}

func (c *client) explainAPI(err *googleapi.Error, said string) string {
	switch {
	case throttled(err):
		return fmt.Sprintf("Google throttles this project: %s; try again in a minute", said)
	case hasReason(err, "accessNotConfigured") || strings.Contains(err.Message, "has not been used in project"):
		return fmt.Sprintf("the Compute Engine API is off: %s; run gcloud services enable compute.googleapis.com --project %s", said, c.project)
	case strings.Contains(err.Message, "insufficient authentication scopes"):
		return fmt.Sprintf("%s; give this instance the scope cloud-platform, or use other credentials", said)
	case err.Code == http.StatusUnauthorized:
		return fmt.Sprintf("Google does not accept the credentials: %s; run gcloud auth application-default login", said)
	case err.Code == http.StatusForbidden:
		return fmt.Sprintf("not allowed: %s; khw-controller lb --cloud gcp --print-iam-policy prints the role that the account needs", said)
	case unknownRegion.MatchString(err.Message):
		return fmt.Sprintf("gcp has no region %s; correct --region, gcloud compute regions list names them", c.region)
	case noSuchPlace.MatchString(err.Message):
		return fmt.Sprintf("%s; correct --project or --region", said)
	case hasReason(err, "resourceInUseByAnotherResource"):
		return fmt.Sprintf("%s; remove that first, or leave this one", said)
	case hasReason(err, "resourceNotReady"):
		return fmt.Sprintf("%s, another change to it is under way; try again in a minute", said)
	case err.Code >= http.StatusInternalServerError:
		return fmt.Sprintf("Compute Engine failed (%d): %s; try again, and see status.cloud.google.com", err.Code, said)
	}
	return fmt.Sprintf("%s (%d)", said, err.Code)
}

func explainOperation(err *operationError) string {
	switch code := err.code(); {
	case strings.Contains(code, "QUOTA"):
		return fmt.Sprintf("the operation failed: %s; raise the quota in the console under IAM & Admin, Quotas", err)
	case strings.HasPrefix(code, "RESOURCE_IN_USE"):
		return fmt.Sprintf("the operation failed: %s; remove what uses it first, or leave this one", err)
	}
	return fmt.Sprintf("the operation failed: %s", err)
}

func attempts(err error) string {
	var gaveUp *exhausted
	if errors.As(err, &gaveUp) {
		return fmt.Sprintf(" (%d attempts)", gaveUp.attempts)
	}
	return ""
}

// host is whom the client calls.
func (c *client) host() string {
	rest := c.BasePath[strings.Index(c.BasePath, "//")+2:]
	host, _, _ := strings.Cut(rest, "/")
	return host
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// message is what the API says, or "".
func message(err error) string {
	var api *googleapi.Error
	if errors.As(err, &api) {
		return api.Message
	}
	return ""
}

// Classify is part of lb.Cloud. What is in use stays so: an operation that has freed
// it was waited for.
func (c *Cloud) Classify(err error) lb.ErrorClass {
	var api *googleapi.Error
	var failed *operationError
	switch {
	case errors.As(err, &failed):
		return operationClasses[failed.code()]
	case !errors.As(err, &api):
		return lb.ErrorOther
	case api.Code == http.StatusConflict:
		return lb.ErrorExists
	case absent(err):
		return lb.ErrorNotFound
	case denied(err):
		return lb.ErrorDenied
	case hasReason(api, "resourceNotReady") || api.Code == http.StatusPreconditionFailed:
		return lb.ErrorBusy
	}
	return lb.ErrorOther
}

// operationClasses are by the code of an operation that failed.
var operationClasses = map[string]lb.ErrorClass{
	"RESOURCE_ALREADY_EXISTS":          lb.ErrorExists,
	"RESOURCE_NOT_FOUND":               lb.ErrorNotFound,
	"RESOURCE_NOT_READY":               lb.ErrorBusy,
	"RESOURCE_OPERATION_RATE_EXCEEDED": lb.ErrorBusy,
}

// denied reports whether the caller may not do what it asked for.
func denied(err error) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && (api.Code == http.StatusUnauthorized || api.Code == http.StatusForbidden && !throttled(api))
}

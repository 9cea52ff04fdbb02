// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// code is the API's code of an error, or "".
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func hasCode(err error, codes ...string) bool {
	return slices.Contains(codes, code(err))
}

// Explain is part of lb.Cloud. The SDK's errors have several lines' worth of
// request IDs and wrapping; what counts is which call was refused, how, and
// what to do.
func (c *Cloud) Explain(err error) error {
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return err
	}
	call := action(op.Service(), op.Operation())
	return &apiError{text: explain(call, err), cause: err}
}

// apiError says what is to be done, and keeps the SDK's error.
type apiError struct {
	text  string
	cause error
}

func (e *apiError) Error() string { return e.text }
func (e *apiError) Unwrap() error { return e.cause }

func explain(call string, err error) string {
	var api smithy.APIError
	said := oneLine(err.Error())
	if errors.As(err, &api) {
		said = fmt.Sprintf("%s (%s)", oneLine(api.ErrorMessage()), api.ErrorCode())
	}
	said += attemptsMade(err)
	switch {
	case errors.Is(err, context.Canceled):
		return call + " was interrupted"
	case notAllowed(err):
		return fmt.Sprintf("%s is not allowed: %s; khw-controller lb --cloud aws --print-iam-policy prints what has to be", call, said)
	case hasCode(err, "ExpiredToken", "ExpiredTokenException", "RequestExpired"):
		return fmt.Sprintf("%s: the credentials have expired: %s; log in again, for example with aws sso login", call, said)
	case hasCode(err, "InvalidClientTokenId", "AuthFailure", "SignatureDoesNotMatch", "UnrecognizedClientException", "MissingAuthenticationToken", "IncompleteSignature"):
		return fmt.Sprintf("%s: AWS does not accept the credentials: %s; check --profile, AWS_PROFILE, AWS_ACCESS_KEY_ID, this machine's clock, and that --region is one of the account's", call, said)
	case strings.Contains(code(err), "Throttl") || hasCode(err, "RequestLimitExceeded", "TooManyRequestsException"):
		return fmt.Sprintf("%s is throttled by AWS: %s; try again in a minute", call, said)
	case strings.HasSuffix(code(err), "LimitExceeded") || strings.HasPrefix(code(err), "TooMany"):
		return fmt.Sprintf("%s: a quota of the account is used up: %s; raise it in AWS Service Quotas", call, said)
	case hasCode(err, "DuplicateLoadBalancerName", "DuplicateTargetGroupName"):
		return fmt.Sprintf("%s: %s; it is being made or deleted elsewhere: try again in a minute, or choose another name with --load-balancer or --target-group", call, said)
	case timedOut(err):
		return fmt.Sprintf("%s had no answer in time%s; check the network and AWS_ENDPOINT_URL, or raise --request-timeout", call, attemptsMade(err))
	case noSuchHost(err) != "":
		return fmt.Sprintf("%s does not reach AWS: there is no host %s; check --region, and the network", call, noSuchHost(err))
	case unreached(err) != nil:
		return fmt.Sprintf("%s does not reach AWS: %s%s; check the network and AWS_ENDPOINT_URL", call, oneLine(unreached(err).Error()), attemptsMade(err))
	case status(err) >= 500:
		return fmt.Sprintf("%s failed inside AWS: %s; try again, and see health.aws.amazon.com", call, said)
	}
	return call + ": " + said
}

func attemptsMade(err error) string {
	var gaveUp *retry.MaxAttemptsError
	if errors.As(err, &gaveUp) {
		return fmt.Sprintf(" after %d attempts", gaveUp.Attempt)
	}
	return ""
}

func timedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// unreached is why a request could not be sent, or nil if it was.
func unreached(err error) error {
	var unsent *smithyhttp.RequestSendError
	var withURL *url.Error
	if errors.As(err, &unsent) && errors.As(unsent.Err, &withURL) {
		return withURL.Err
	}
	return nil
}

// noSuchHost is the name that does not resolve, or "": that of a region which
// does not exist, for one.
func noSuchHost(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return dns.Name
	}
	return ""
}

func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// oneLine drops what no person can read: the encoded authorization message, which
// is long, and line breaks.
func oneLine(s string) string {
	s, _, _ = strings.Cut(s, "Encoded authorization failure message")
	return strings.TrimRight(strings.Join(strings.Fields(s), " "), " .;:")
}

// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// Classify is part of lb.Cloud.
func (c *Cloud) Classify(err error) lb.ErrorClass {
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return lb.ErrorOther
	}
	switch {
	case exists(err):
		return lb.ErrorExists
	case removes(op.Operation()) && (notFound(err) || hasCode(err, "InvalidInstance", "InvalidTarget")):
		return lb.ErrorNotFound
	case notFound(err) && c.account.watch.made.Load():
		// What was just made is not seen everywhere yet.
		return lb.ErrorBusy
	case hasCode(err, "DependencyViolation", "ResourceInUse", "PriorRequestNotComplete"):
		return lb.ErrorBusy
	case denied(err):
		return lb.ErrorDenied
	}
	return lb.ErrorOther
}

func exists(err error) bool {
	return hasCode(err, "DuplicateLoadBalancerName", "DuplicateTargetGroupName", "DuplicateListener",
		"InvalidGroup.Duplicate", "InvalidPermission.Duplicate", "InvalidSubnet.Conflict")
}

// notFound reports whether what a call is about is not there. Both load balancing
// APIs call subnets and groups that they do not see invalid.
func notFound(err error) bool {
	return strings.HasSuffix(code(err), "NotFound") || hasCode(err, "InvalidSubnet", "InvalidSecurityGroup")
}

// removes reports whether an operation's aim is that something is gone.
func removes(operation string) bool {
	for _, verb := range []string{"Delete", "Deregister", "Revoke"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}

// denied reports whether no attempt with these credentials will succeed.
func denied(err error) bool {
	return notAllowed(err) || hasCode(err, "ExpiredToken", "ExpiredTokenException", "RequestExpired",
		"InvalidClientTokenId", "AuthFailure", "SignatureDoesNotMatch", "UnrecognizedClientException", "MissingAuthenticationToken", "IncompleteSignature")
}

// notAllowed reports whether a permission is missing. A gateway in between says so
// with the status alone.
func notAllowed(err error) bool {
	return hasCode(err, "AccessDenied", "AccessDeniedException", "UnauthorizedOperation") || status(err) == http.StatusForbidden && hasCode(err, "UnknownError")
}

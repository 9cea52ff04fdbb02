// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"slices"

	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/union"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

// HealthUser is the user who asks for health and may do nothing else, whatever
// the authorization mode is. The audit log names it.
const HealthUser = "system:khw-controller:health-proxy"

// healthPaths are all that HealthUser may get.
var healthPaths = []string{"/healthz", "/livez", "/readyz"}

// HealthToken returns the bearer token of HealthUser. It exists in this process
// alone, and changes with it.
func (s *Server) HealthToken() string { return s.healthToken }

// addHealthUser makes the server that has this authentication and authorization
// know HealthUser by token. Its only group is that of who asks without
// credentials: it gains nothing from what authenticated users may, and its health
// checks pass API Priority and Fairness without a queue (flow schema "probes").
func addHealthUser(authn *genericapiserver.AuthenticationInfo, authz *genericapiserver.AuthorizationInfo, token string) {
	tokens := map[string]*user.DefaultInfo{token: {Name: HealthUser, Groups: []string{user.AllUnauthenticated}}}
	known := authenticatorfactory.NewFromTokens(tokens, authn.APIAudiences)
	authn.Authenticator = union.New(known, authn.Authenticator)
	authz.Authorizer = healthAuthorizer{authz.Authorizer}
}

// healthAuthorizer decides about HealthUser alone, and leaves all others to the
// Authorizer. Whoever shows a certificate with that name may do as little.
type healthAuthorizer struct{ authorizer.Authorizer }

// Authorize implements authorizer.Authorizer.
func (h healthAuthorizer) Authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if !isHealthUser(a) {
		return h.Authorizer.Authorize(ctx, a)
	}
	decision, reason := decide(a)
	return decision, reason, nil
}

// ConditionsAwareAuthorize implements authorizer.Authorizer.
func (h healthAuthorizer) ConditionsAwareAuthorize(ctx context.Context, a authorizer.Attributes) authorizer.ConditionsAwareDecision {
	if !isHealthUser(a) {
		return h.Authorizer.ConditionsAwareAuthorize(ctx, a)
	}
	decision, reason := decide(a)
	return authorizer.ConditionsAwareDecisionFromParts(decision, reason, nil)
}

func isHealthUser(a authorizer.Attributes) bool {
	u := a.GetUser()
	return u != nil && u.GetName() == HealthUser
}

// decide says yes or no, never that another authorizer may decide.
func decide(a authorizer.Attributes) (authorizer.Decision, string) {
	if !a.IsResourceRequest() && a.GetVerb() == "get" && slices.Contains(healthPaths, a.GetPath()) {
		return authorizer.DecisionAllow, ""
	}
	return authorizer.DecisionDeny, "it may ask for health only"
}

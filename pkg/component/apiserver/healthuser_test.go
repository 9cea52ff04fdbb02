// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

// nobody knows nobody, as an apiserver with anonymous-auth=false.
var nobody = authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) { return nil, false, nil })

// guarded is an apiserver's own authentication and authorization, with the
// health user before them.
func guarded(authz authorizer.Authorizer) (*genericapiserver.AuthenticationInfo, *genericapiserver.AuthorizationInfo) {
	authn, guard := &genericapiserver.AuthenticationInfo{Authenticator: nobody}, &genericapiserver.AuthorizationInfo{Authorizer: authz}
	addHealthUser(authn, guard, "the-token")
	return authn, guard
}

func TestTheHealthUserIsKnownByItsTokenAlone(t *testing.T) {
	authn, _ := guarded(authorizerfactory.NewAlwaysDenyAuthorizer())
	for header, want := range map[string]string{"": "", "Bearer the-token": HealthUser, "Bearer the-tokens": "", "Bearer ": "", "Basic the-token": ""} {
		r := httptest.NewRequest(http.MethodGet, "/healthz", http.NoBody)
		r.Header.Set("Authorization", header)
		got, ok, _ := authn.Authenticator.AuthenticateRequest(r)
		if ok != (want != "") || ok && got.User.GetName() != want {
			t.Errorf("%q is %+v, %v, want %q", header, got, ok, want)
		}
		if ok && !slices.Equal(got.User.GetGroups(), []string{user.AllUnauthenticated}) {
			t.Errorf("it is in the groups %v", got.User.GetGroups())
		}
	}
	if a, b := New(nil, Etcd{}).HealthToken(), New(nil, Etcd{}).HealthToken(); a == b || len(a) < 20 {
		t.Errorf("the tokens of two processes are %q and %q", a, b)
	}
}

func TestTheHealthUserMayAskForHealthAndNothingElse(t *testing.T) {
	health, admin := &user.DefaultInfo{Name: HealthUser, Groups: []string{user.SystemPrivilegedGroup}}, &user.DefaultInfo{Name: "admin"}
	get := func(path string) authorizer.AttributesRecord {
		return authorizer.AttributesRecord{Verb: "get", Path: path}
	}
	secrets := authorizer.AttributesRecord{Verb: "get", Path: "/healthz", Resource: "secrets", ResourceRequest: true}
	for name, test := range map[string]struct {
		request   authorizer.AttributesRecord
		user      user.Info
		elsewhere authorizer.Authorizer
		want      authorizer.Decision
	}{
		"its health":                     {get("/healthz"), health, authorizerfactory.NewAlwaysDenyAuthorizer(), authorizer.DecisionAllow},
		"whether it lives":               {get("/livez"), health, authorizerfactory.NewAlwaysDenyAuthorizer(), authorizer.DecisionAllow},
		"whether it is ready":            {get("/readyz"), health, authorizerfactory.NewAlwaysDenyAuthorizer(), authorizer.DecisionAllow},
		"one check":                      {get("/readyz/etcd"), health, authorizerfactory.NewAlwaysAllowAuthorizer(), authorizer.DecisionDeny},
		"metrics":                        {get("/metrics"), health, authorizerfactory.NewAlwaysAllowAuthorizer(), authorizer.DecisionDeny},
		"secrets where all is allowed":   {secrets, health, authorizerfactory.NewAlwaysAllowAuthorizer(), authorizer.DecisionDeny},
		"a POST":                         {authorizer.AttributesRecord{Verb: "post", Path: "/healthz"}, health, authorizerfactory.NewAlwaysAllowAuthorizer(), authorizer.DecisionDeny},
		"somebody else's secrets":        {secrets, admin, authorizerfactory.NewAlwaysAllowAuthorizer(), authorizer.DecisionAllow},
		"somebody else where nobody may": {get("/healthz"), admin, authorizerfactory.NewAlwaysDenyAuthorizer(), authorizer.DecisionNoOpinion},
		"no user at all":                 {get("/healthz"), nil, authorizerfactory.NewAlwaysDenyAuthorizer(), authorizer.DecisionNoOpinion},
	} {
		t.Run(name, func(t *testing.T) {
			_, guard := guarded(test.elsewhere)
			test.request.User = test.user
			got, _, err := guard.Authorizer.Authorize(t.Context(), test.request)
			if got != test.want || err != nil {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
			aware := guard.Authorizer.ConditionsAwareAuthorize(t.Context(), test.request)
			if aware.IsAllow() != (test.want == authorizer.DecisionAllow) || aware.IsDeny() != (test.want == authorizer.DecisionDeny) {
				t.Errorf("got %v, want %v", aware, test.want)
			}
		})
	}
}

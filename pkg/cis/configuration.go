// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"fmt"
	"strings"
	"time"

	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/profile"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

// configurationItems are section 3.
var configurationItems = []item{
	{id: "3.1.1", title: "people do not come with certificates", judge: func(in *input) verdict {
		a := in.APIServer.Authentication
		for _, other := range []string{a.OIDC.IssuerURL, a.AuthenticationConfigFile, a.WebHook.ConfigFile} {
			if other != "" {
				return passes("there is another way for them: " + other)
			}
		}
		return differs("the lab's admin has a certificate, which cannot be revoked (chapter 04): keep it for emergencies, and give people OIDC: --kube-apiserver-arg authentication-config")
	}},
	{id: "3.1.2", title: "people do not come with tokens of service accounts", judgeCluster: func(_ *input, o *objects) verdict {
		if len(o.tokenSecrets) > 0 {
			return fails("tokens that never end lie in Secrets: "+list(o.tokenSecrets), "find out who uses them, and delete them; kubectl create token gives one that ends")
		}
		return passes("no token that never ends lies in a Secret")
	}},
	{id: "3.1.3", title: "people do not come with bootstrap tokens", judgeCluster: func(in *input, o *objects) verdict {
		switch {
		case !in.APIServer.Authentication.BootstrapToken.Enable:
			return passes("--enable-bootstrap-token-auth is not set")
		case len(o.endlessBootstrapTokens) > 0:
			return fails("bootstrap tokens without an end: "+list(o.endlessBootstrapTokens), "give each an expiration, or delete it: kubectl -n kube-system delete secret NAME")
		}
		return passes("every bootstrap token ends by itself")
	}},
	{id: "3.2.1", title: "something is audited", judge: func(in *input) verdict {
		if why := in.Unaudited(); why != "" {
			problem, fix, _ := strings.Cut(why, "; ")
			return fails(problem, fix)
		}
		return passes(in.AuditPolicy.String())
	}},
	{id: "3.2.2", title: "what matters is audited, and no secret is written down", judge: auditPolicy},
}

// audited is a request that the benchmark wants to find in the audit log.
type audited struct {
	verb, group, resource, subresource string
	// secret tells that its body must not be there.
	secret bool
}

func (a audited) String() string {
	name := a.resource
	if a.subresource != "" {
		name += "/" + a.subresource
	}
	return a.verb + " " + name
}

var mustBeAudited = []audited{
	{"get", "", "secrets", "", true}, {"list", "", "secrets", "", true}, {"create", "", "secrets", "", true}, {"update", "", "secrets", "", true},
	{"patch", "", "secrets", "", true}, {"delete", "", "secrets", "", true},
	{"create", "", "configmaps", "", true}, {"update", "", "configmaps", "", true},
	{"create", "authentication.k8s.io", "tokenreviews", "", true}, {"create", "", "serviceaccounts", "token", true},
	{"create", "", "pods", "", false}, {"update", "", "pods", "", false}, {"delete", "", "pods", "", false},
	{"create", "apps", "deployments", "", false}, {"update", "apps", "deployments", "", false}, {"patch", "apps", "deployments", "", false},
	{"delete", "apps", "deployments", "", false},
	{"create", "", "pods", "exec", false}, {"get", "", "pods", "exec", false}, {"create", "", "pods", "portforward", false},
	{"get", "", "pods", "portforward", false}, {"get", "", "pods", "proxy", false}, {"get", "", "services", "proxy", false},
	{"create", "rbac.authorization.k8s.io", "clusterrolebindings", "", false},
}

// auditPolicy asks the policy in force what it makes of somebody's requests, as the
// apiserver asks it.
func auditPolicy(in *input) verdict {
	path := in.AuditPolicy.Path
	if path == "" {
		return fails("there is no audit policy", in.set(lab.APIServer, "audit-policy-file", "FILE"))
	}
	p, err := policy.LoadPolicyFromFile(path)
	if err != nil {
		return fails(err.Error(), "correct "+in.AuditPolicy.String())
	}
	missing, told := judgePolicy(policy.NewPolicyRuleEvaluator(p))
	fix := fmt.Sprintf("correct %s; profile: %s makes another where there is none", in.AuditPolicy, profile.CIS)
	v := passes(fmt.Sprintf("%s records %d kinds of requests as it should", path, len(mustBeAudited)))
	if len(missing) > 0 {
		v = fails("not recorded: "+list(missing), fix)
	}
	if len(told) > 0 {
		v.outcome = verify.Failed
		v.failures = append(v.failures, verify.Failure{Problem: "recorded with what is secret: " + list(told), Next: fix})
	}
	return v
}

// judgePolicy returns what a policy does not record, and what it records with a body
// that may be secret.
func judgePolicy(e audit.PolicyRuleEvaluator) (missing, told []string) {
	who := &user.DefaultInfo{Name: "somebody", Groups: []string{user.AllAuthenticated}}
	for _, r := range mustBeAudited {
		c := e.EvaluatePolicyRule(authorizer.AttributesRecord{
			User: who, Verb: r.verb, Namespace: "default", APIGroup: r.group, APIVersion: "v1", Resource: r.resource, Subresource: r.subresource,
			Name: "something", ResourceRequest: true,
		})
		switch {
		case c.Level.Less(auditinternal.LevelMetadata):
			missing = append(missing, r.String())
		case r.secret && c.Level != auditinternal.LevelMetadata:
			told = append(told, r.String())
		}
	}
	return missing, told
}

// never reports whether a bootstrap token has no end.
func never(expiration []byte) bool {
	_, err := time.Parse(time.RFC3339, string(expiration))
	return err != nil
}

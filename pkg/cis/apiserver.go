// SPDX-License-Identifier: Apache-2.0

package cis

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	cliflag "k8s.io/component-base/cli/flag"
	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/pkg/encryption"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

// apiServerItems are section 1.2.
var apiServerItems = []item{
	{id: "1.2.1", title: "nobody is let in without credentials", judge: anonymous},
	{id: "1.2.2", title: "there are no static tokens", judge: func(in *input) verdict {
		if file := in.APIServer.Authentication.TokenFile; file != nil && file.TokenFile != "" {
			return fails(shown("token-auth-file", file.TokenFile)+" has tokens that never end", "remove it, and give its users certificates or OIDC: "+plan.ArgFlag(lab.APIServer, "token-auth-file-"))
		}
		return passes()
	}},
	{id: "1.2.3", title: "services cannot take addresses of others for theirs", judge: pluginIsOn(profile.DenyServiceExternalIPs)},
	{id: "1.2.4", title: "the API server shows kubelets a certificate", judge: func(in *input) verdict {
		return named(in.KubeletClient.Cert, in.KubeletClient.Key)
	}},
	{id: "1.2.5", title: "the API server knows the CA of the kubelets", judge: func(in *input) verdict { return named(in.KubeletCA) }},
	{id: "1.2.6", title: "authorization is not AlwaysAllow", judge: withAuthorizers(func(in *input, modes []string) verdict {
		if slices.Contains(modes, "AlwaysAllow") {
			return fails("everybody may do everything: AlwaysAllow is among "+strings.Join(modes, ","), in.set(lab.APIServer, "authorization-mode", "Node,RBAC"))
		}
		return passes(strings.Join(modes, ","))
	})},
	{id: "1.2.7", title: "nodes see what is theirs (Node authorization)", judge: authorizerIsOn("Node")},
	{id: "1.2.8", title: "roles say who may do what (RBAC)", judge: authorizerIsOn("RBAC")},
	{id: "1.2.9", title: "events have a limit (EventRateLimit)", judge: pluginIsOn(profile.EventRateLimit)},
	{id: "1.2.10", title: "admission is not AlwaysAdmit", judge: func(in *input) verdict {
		if in.plugin("AlwaysAdmit") {
			return fails("the plugin AlwaysAdmit is enabled", "take it out of "+plan.ArgFlag(lab.APIServer, "enable-admission-plugins"))
		}
		return passes()
	}},
	{id: "1.2.11", title: "images are pulled with a pod's own credentials (AlwaysPullImages)", judge: alwaysPullImages},
	{id: "1.2.12", title: "pods have a service account (ServiceAccount)", judge: pluginIsOn("ServiceAccount")},
	{id: "1.2.13", title: "nothing is made in a namespace that goes (NamespaceLifecycle)", judge: pluginIsOn("NamespaceLifecycle")},
	{id: "1.2.14", title: "a kubelet writes its own node and pods only (NodeRestriction)", judge: pluginIsOn("NodeRestriction")},
	{id: "1.2.15", title: "the API server does not show profiles", judge: func(in *input) verdict {
		return in.profilingOff(lab.APIServer, in.APIServer.Features.EnableProfiling)
	}},
	{id: "1.2.16", title: "there is an audit log", judge: func(in *input) verdict {
		if path := in.APIServer.Audit.LogOptions.Path; path != "" {
			return passes(shown("audit-log-path", path))
		}
		return fails("no audit log is written", in.set(lab.APIServer, "audit-log-path", "/var/log/audit.log"))
	}},
	{id: "1.2.17", title: "the audit log is kept for 30 days", judge: func(in *input) verdict {
		return in.atLeast("audit-log-maxage", in.APIServer.Audit.LogOptions.MaxAge, 30, "")
	}},
	{id: "1.2.18", title: "ten older files of the audit log are kept", judge: func(in *input) verdict {
		return in.atLeast("audit-log-maxbackup", in.APIServer.Audit.LogOptions.MaxBackups, 10,
			"the lab keeps 3 older files of 100 MB, so that the log takes no more than 400 MB of the disk; profile: cis keeps 10")
	}},
	{id: "1.2.19", title: "a file of the audit log holds 100 MB", judge: func(in *input) verdict {
		return in.atLeast("audit-log-maxsize", in.APIServer.Audit.LogOptions.MaxSize, 100, "")
	}},
	{id: "1.2.20", title: "requests end in time", judge: requestTimeout},
	{id: "1.2.21", title: "tokens of service accounts that are gone are refused", judge: func(in *input) verdict {
		if !in.APIServer.Authentication.ServiceAccounts.Lookup {
			return fails("service accounts are not looked up", in.set(lab.APIServer, "service-account-lookup", "true"))
		}
		return passes(shown("service-account-lookup", true))
	}},
	{id: "1.2.22", title: "service account tokens have keys of their own", judge: func(in *input) verdict {
		if len(in.ServiceAccountKeys) == 0 && in.source(lab.APIServer, "service-account-signing-endpoint") != "" {
			return passes("the signer behind --service-account-signing-endpoint has them")
		}
		return named(in.ServiceAccountKeys...)
	}},
	{id: "1.2.23", title: "the API server shows etcd a certificate", judge: func(in *input) verdict {
		return named(in.EtcdClient.Cert, in.EtcdClient.Key)
	}},
	{id: "1.2.24", title: "the API server has a certificate of the cluster", judge: func(in *input) verdict {
		return named(in.Serving.Cert, in.Serving.Key)
	}},
	{id: "1.2.25", title: "clients are known by their certificates", judge: func(in *input) verdict { return named(in.ClientCA) }},
	{id: "1.2.26", title: "the API server knows the CA of etcd", judge: func(in *input) verdict { return named(in.EtcdCA) }},
	{id: "1.2.27", title: "there is encryption at rest", judge: func(in *input) verdict { return named(in.EncryptionConfig) }},
	{id: "1.2.28", title: "Secrets are encrypted with aescbc, secretbox or KMS", judge: encryptionProvider},
	{id: "1.2.29", title: "the API server's TLS has strong cipher suites only", judge: func(in *input) verdict {
		return in.strongSuites(lab.APIServer, in.APIServer.SecureServing.CipherSuites, in.APIServer.SecureServing.MinTLSVersion)
	}},
	{id: "1.2.30", title: "a pod's token ends when it says", judge: func(in *input) verdict {
		if in.APIServer.Authentication.ServiceAccounts.ExtendExpiration {
			return fails("tokens for an hour are good for a year", in.set(lab.APIServer, "service-account-extend-token-expiration", "false"))
		}
		return passes(shown("service-account-extend-token-expiration", false))
	}},
}

func anonymous(in *input) verdict {
	a, err := in.Anonymous()
	switch {
	case err != nil:
		return fails(err.Error(), "correct the file")
	case a.Off:
		return passes(a.Because)
	case len(a.Paths) == 0:
		return fails("who has no credentials is let in as system:anonymous", in.set(lab.APIServer, "anonymous-auth", "false"))
	}
	if others := slices.DeleteFunc(slices.Clone(a.Paths), isHealthCheck); len(others) > 0 {
		return fails("who has no credentials is let in for "+list(others), "take that out of anonymous.conditions of "+in.APIServer.Authentication.AuthenticationConfigFile)
	}
	return passes("let in for health checks only: " + strings.Join(a.Paths, ", "))
}

// isHealthCheck reports whether a path says no more than how the apiserver is.
func isHealthCheck(path string) bool {
	return slices.Contains([]string{"/livez", "/readyz", "/healthz"}, path)
}

// plugin reports whether an admission plugin is on, as the apiserver decides that
// (k8s.io/apiserver/pkg/server/options/admission.go, enabledPluginNames).
func (in *input) plugin(name string) bool {
	a := in.APIServer.Admission
	if a.PluginNames != nil {
		return slices.Contains(a.PluginNames, name)
	}
	g := a.GenericAdmission
	if slices.Contains(g.EnablePlugins, name) {
		return true
	}
	return slices.Contains(g.RecommendedPluginOrder, name) && !g.DefaultOffPlugins.Has(name) && !slices.Contains(g.DisablePlugins, name)
}

// pluginIsOn wants an admission plugin to be on.
func pluginIsOn(name string) func(*input) verdict {
	const enable, disable = "enable-admission-plugins", "disable-admission-plugins"
	return func(in *input) verdict {
		g := in.APIServer.Admission.GenericAdmission
		switch {
		case in.plugin(name):
			return passes(name + " is on")
		case slices.Contains(g.DisablePlugins, name):
			return fails(name+" is disabled", "take it out of "+plan.ArgFlag(lab.APIServer, disable))
		case name == profile.EventRateLimit && profile.IsSource(in.source(lab.APIServer, enable)):
			return fails(name+" is left out: there is no configuration for it in the file of --"+profile.AdmissionConfigFlag+": "+cmp.Or(in.AdmissionConfig.Path, "none"),
				"add one there, or move the file away and have none of your own, for the profile to make it")
		case profile.IsSource(in.source(lab.APIServer, enable)) || in.isLabs(lab.APIServer, enable):
			return fails(name+" is off", "set profile: "+profile.CIS+", or add it to "+plan.ArgFlag(lab.APIServer, enable))
		}
		return fails(name+" is off", "add it to "+plan.ArgFlag(lab.APIServer, enable))
	}
}

func alwaysPullImages(in *input) verdict {
	const name = "AlwaysPullImages"
	if in.plugin(name) {
		return passes(name + " is on")
	}
	return differs("every start of a container would wait for a registry, and images that were imported could not be used; since v1.35 it is the kubelet that " +
		"keeps a pod from an image that another pod's credentials have brought (KubeletEnsureSecretPulledImages). Where nodes are older, or run pods of " +
		"people who do not trust each other, add " + name + " to " + plan.ArgFlag(lab.APIServer, "enable-admission-plugins"))
}

// authorizers are the modes, or what the file in their place has.
func (in *input) authorizers() ([]string, error) {
	file := in.APIServer.Authorization.AuthorizationConfigurationFile
	if file == "" {
		return in.APIServer.Authorization.Modes, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var c struct{ Authorizers []struct{ Type string } }
	if err := yaml.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var modes []string
	for _, a := range c.Authorizers {
		modes = append(modes, a.Type)
	}
	return modes, nil
}

func withAuthorizers(judge func(*input, []string) verdict) func(*input) verdict {
	return func(in *input) verdict {
		modes, err := in.authorizers()
		if err != nil {
			return fails(err.Error(), "correct "+plan.ArgFlag(lab.APIServer, "authorization-config"))
		}
		return judge(in, modes)
	}
}

func authorizerIsOn(mode string) func(*input) verdict {
	return withAuthorizers(func(in *input, modes []string) verdict {
		switch {
		case slices.Contains(modes, mode):
			return passes(strings.Join(modes, ","))
		case in.APIServer.Authorization.AuthorizationConfigurationFile != "":
			return fails(mode+" is not among "+strings.Join(modes, ","), "add it to "+in.APIServer.Authorization.AuthorizationConfigurationFile)
		}
		return fails(mode+" is not among "+strings.Join(modes, ","), in.set(lab.APIServer, "authorization-mode", "Node,RBAC"))
	})
}

// named wants files to be named by flags.
func named(files ...plan.File) verdict {
	v := passes()
	if len(files) == 0 {
		return fails("no file is named", "set it as the lab does; khw-controller flags shows how")
	}
	for _, f := range files {
		if f.Path == "" {
			_, name, _ := strings.Cut(f.Flag, " ")
			return fails("--"+name+" is not set", "give up what takes the lab's value away: "+f.Flag+"; the lab has "+labValue(name))
		}
		v.seen = append(v.seen, f.String())
	}
	return v
}

// labValue is a flag of the apiserver or of the controller-manager with its value in
// the lab.
func labValue(name string) string {
	for _, c := range lab.Components() {
		if value := lab.Value(c, name); value != "" {
			return shown(name, value)
		}
	}
	return "another"
}

func (in *input) profilingOff(c lab.Component, on bool) verdict {
	if on {
		return fails("profiles are shown to administrators at /debug/pprof", in.set(c, "profiling", "false"))
	}
	return passes(shown("profiling", false))
}

// atLeast wants a number of the apiserver's to be so large. reason is why the lab's own
// is not.
func (in *input) atLeast(flag string, value, want int, reason string) verdict {
	switch {
	case value >= want:
		return passes(shown(flag, value))
	case reason != "" && in.isLabs(lab.APIServer, flag):
		return differs(reason, shown(flag, value))
	}
	return fails(fmt.Sprintf("--%s is %d, want %d or more", flag, value, want), in.set(lab.APIServer, flag, fmt.Sprint(want)))
}

// longestRequest is what a request may take at most; the benchmark gives it for an
// example.
const longestRequest = 5 * time.Minute

func requestTimeout(in *input) verdict {
	t := in.APIServer.GenericServerRunOptions.RequestTimeout
	if t > longestRequest {
		return fails(fmt.Sprintf("a request may take %s, and so long its connection is held", t), in.set(lab.APIServer, "request-timeout", "1m"))
	}
	return passes(shown("request-timeout", t))
}

// goodProviders are those that the benchmark takes.
var goodProviders = []string{encryption.AESCBC, encryption.Secretbox, encryption.KMS}

func encryptionProvider(in *input) verdict {
	path := in.EncryptionConfig.Path
	if _, err := os.Stat(path); path == "" || os.IsNotExist(err) {
		return skipped("there is no encryption configuration")
	}
	c, err := encryption.Load(context.Background(), path)
	if err != nil {
		return fails(err.Error(), "correct "+in.EncryptionConfig.String())
	}
	p, ok := c.Writes(schema.GroupResource{Resource: "secrets"})
	switch {
	case !ok || p.Name == encryption.Identity:
		return fails("Secrets are not encrypted", "khw-controller secrets-encrypt rotate --provider "+encryption.Secretbox)
	case !slices.Contains(goodProviders, p.Name):
		return fails("Secrets are "+p.String()+", which is not safe without a new key every 200,000 writes", "khw-controller secrets-encrypt rotate --provider "+encryption.Secretbox)
	}
	return passes("Secrets are " + p.String())
}

// strongSuites wants a port to offer no other cipher suites than strong ones.
func (in *input) strongSuites(c lab.Component, suites []string, least string) verdict {
	const flag = "tls-cipher-suites"
	fix := in.set(c, flag, strings.Join(profile.StrongSuites(), ","))
	switch {
	case least == "VersionTLS13":
		return passes("TLS 1.3 only")
	case len(suites) == 0:
		return fails("--"+flag+" is not set, and Go's own choice has suites with CBC for TLS 1.2", fix)
	}
	strong, err := cliflag.TLSCipherSuites(slices.Concat(profile.StrongSuites(), tls13Suites))
	if err != nil {
		return fails(err.Error(), fix)
	}
	var weak []string
	for _, name := range suites {
		if id, err := cliflag.TLSCipherSuites([]string{name}); err != nil || !slices.Contains(strong, id[0]) {
			weak = append(weak, name)
		}
	}
	if len(weak) > 0 {
		return fails("weak: "+list(weak), fix)
	}
	return passes(suites...)
}

// tls13Suites are those of TLS 1.3, which may be among others.
var tls13Suites = []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}

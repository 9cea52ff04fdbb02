// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"os"
	"slices"

	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	"k8s.io/kubernetes/pkg/kubeapiserver/authorizer/modes"
	"sigs.k8s.io/yaml"
)

// versionPath is what the lab asks for without credentials.
const versionPath = "/version"

// noAnonymous returns the setting for which the apiserver refuses who asks for its
// version without credentials, or "". The apiserver itself refuses a file that it
// cannot read; here that is an error, too.
func noAnonymous(o *options.ServerRunOptions) (string, error) {
	authentication := o.Authentication
	switch {
	case authentication.Anonymous != nil && !authentication.Anonymous.Allow:
		return "anonymous-auth=false is set", nil
	case slices.Contains(o.Authorization.Modes, modes.ModeAlwaysAllow):
		return "authorization-mode=AlwaysAllow turns anonymous access off", nil
	case authentication.AuthenticationConfigFile == "":
		return "", nil
	}
	allowed, err := allowsAnonymously(authentication.AuthenticationConfigFile, versionPath)
	if err != nil || allowed {
		return "", err
	}
	return authentication.AuthenticationConfigFile + " does not let everybody ask for that", nil
}

// authenticationConfiguration is what counts here of the apiserver's
// AuthenticationConfiguration, in all its versions.
type authenticationConfiguration struct {
	Anonymous *struct {
		Enabled    bool
		Conditions []struct{ Path string }
	}
}

func allowsAnonymously(file, path string) (bool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return false, fmt.Errorf("--kube-apiserver-arg authentication-config: %w", err)
	}
	var c authenticationConfiguration
	if err := yaml.Unmarshal(data, &c); err != nil {
		return false, fmt.Errorf("--kube-apiserver-arg authentication-config: %s: %w", file, err)
	}
	switch {
	case c.Anonymous == nil:
		return true, nil
	case !c.Anonymous.Enabled:
		return false, nil
	}
	return len(c.Anonymous.Conditions) == 0 || slices.ContainsFunc(c.Anonymous.Conditions, func(allowed struct{ Path string }) bool { return allowed.Path == path }), nil
}

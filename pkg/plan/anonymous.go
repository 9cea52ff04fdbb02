// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"

	"k8s.io/kubernetes/pkg/kubeapiserver/authorizer/modes"
	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// Anonymous says whom the apiserver lets in without credentials.
type Anonymous struct {
	// Off tells that it is nobody; Because is the setting for which.
	Off     bool
	Because string
	// Paths are all that they may ask for; empty for what RBAC grants them.
	Paths []string
}

// Allows reports whether somebody without credentials may ask for a path.
func (a Anonymous) Allows(path string) bool {
	return !a.Off && (len(a.Paths) == 0 || slices.Contains(a.Paths, path))
}

// Anonymous returns whom the apiserver lets in without credentials. It refuses a file
// that it cannot read itself; here that is an error, too.
func (p *Plan) Anonymous() (Anonymous, error) {
	authentication := p.APIServer.Authentication
	switch {
	case authentication.Anonymous != nil && !authentication.Anonymous.Allow:
		return Anonymous{Off: true, Because: anonymousAuthFlag + "=false is set"}, nil
	case slices.Contains(p.APIServer.Authorization.Modes, modes.ModeAlwaysAllow):
		return Anonymous{Off: true, Because: "authorization-mode=AlwaysAllow turns anonymous access off"}, nil
	}
	file := authentication.AuthenticationConfigFile
	c, err := anonymousIn(file)
	switch {
	case err != nil:
		return Anonymous{}, fmt.Errorf("%s: %w", ArgFlag(lab.APIServer, authenticationConfigFlag), err)
	case c == nil:
		return Anonymous{}, nil
	}
	a := Anonymous{Off: !c.Enabled, Because: file + " does not let everybody ask for that"}
	for _, allowed := range c.Conditions {
		a.Paths = append(a.Paths, allowed.Path)
	}
	return a, nil
}

// anonymousAuthentication is what the apiserver's AuthenticationConfiguration says of
// anonymous access, in all its versions.
type anonymousAuthentication struct {
	Enabled    bool
	Conditions []struct{ Path string }
}

// anonymousIn reads it; nil where there is no file, or it says nothing of that.
func anonymousIn(file string) (*anonymousAuthentication, error) {
	if file == "" {
		return nil, nil
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	var c struct{ Anonymous *anonymousAuthentication }
	if err := yaml.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c.Anonymous, nil
}

// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"slices"
	"strings"
)

const (
	enableAdmission  = "enable-admission-plugins"
	disableAdmission = "disable-admission-plugins"
)

// exclusion is a rule of Kubernetes: a component refuses to start when set and
// one of the others are set.
type exclusion struct {
	component Component
	set       string
	others    []string
	why       string
}

const oneSigner = "kube-controller-manager signs either with one CA or with one for each signer (csrsigningcontroller.go)."

// exclusions are the rules that a flag of the lab is part of. Those without one,
// such as --authentication-config beside --oidc-*, are between flags that only
// the user can have set.
var exclusions = []exclusion{
	{APIServer, "authorization-config", []string{"authorization-mode"},
		"The file lists the authorizers; kube-apiserver refuses --authorization-mode beside it."},
	{APIServer, "admission-control", []string{enableAdmission},
		"The old flag lists every plugin, in order; kube-apiserver refuses --enable-admission-plugins beside it."},
	{APIServer, "service-account-signing-endpoint", []string{"service-account-key-file", "service-account-signing-key-file"},
		"The signer behind the endpoint has the keys; kube-apiserver refuses files with keys beside it."},
	{ControllerManager, "cluster-signing-kubelet-serving-cert-file", signingFiles, oneSigner},
	{ControllerManager, "cluster-signing-kubelet-client-cert-file", signingFiles, oneSigner},
	{ControllerManager, "cluster-signing-kube-apiserver-client-cert-file", signingFiles, oneSigner},
	{ControllerManager, "cluster-signing-legacy-unknown-cert-file", signingFiles, oneSigner},
}

var signingFiles = []string{"cluster-signing-cert-file", "cluster-signing-key-file"}

// replacement returns what takes the place of a flag of the lab, if one of the
// overrides excludes it.
func replacement(c Component, name string, mine []Override) (Dropped, bool) {
	for _, e := range exclusions {
		if e.component != c || !slices.Contains(e.others, name) {
			continue
		}
		set := inForce(mine, e.set)
		if i := slices.IndexFunc(set, func(o Override) bool { return o.Value != "" }); i >= 0 {
			return Dropped{Name: name, Source: set[i].Source, Status: Replaced, By: e.set, Why: e.why}, true
		}
	}
	return Dropped{}, false
}

// withoutDisabled leaves out of the lab's admission plugins those that the user
// disables: kube-apiserver refuses a plugin that is in both lists.
func withoutDisabled(plugins string, disable []Override) (value, why string) {
	disabled := map[string]bool{}
	for _, o := range disable {
		for p := range strings.SplitSeq(o.Value, ",") {
			disabled[p] = true
		}
	}
	var rest, out []string
	for p := range strings.SplitSeq(plugins, ",") {
		if disabled[p] {
			out = append(out, p)
		} else {
			rest = append(rest, p)
		}
	}
	if len(out) == 0 {
		return plugins, ""
	}
	return strings.Join(rest, ","), fmt.Sprintf("Without %s, which --%s takes away.", strings.Join(out, ", "), disableAdmission)
}

// anySet reports whether any source sets a flag.
func anySet(overrides []Override, name string) bool {
	return slices.ContainsFunc(overrides, func(o Override) bool { return o.Name == name && !o.Unset })
}

// nothingToUnset is the notice for a flag that is unset and not set: a typo, or
// what another version of the file had.
func nothingToUnset(c Component, name string, mine []Override) string {
	var known []string
	for _, f := range Flags(c) {
		known = append(known, f.Current)
	}
	for _, o := range mine {
		if !o.Unset {
			known = append(known, o.Name)
		}
	}
	notice := fmt.Sprintf("%s --%s is not set; there is nothing to unset", c, name)
	if near := Nearest(name, slices.DeleteFunc(known, func(k string) bool { return k == "" })); near != "" {
		notice += fmt.Sprintf("; did you mean %s-?", near)
	}
	return notice
}

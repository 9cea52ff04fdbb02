// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"strconv"
	"strings"
)

// Arg is one flag as somebody typed it.
type Arg struct {
	Name  string // without dashes, in today's spelling of separators
	Value string
	// HasValue reports whether there was a `=`: `--name=` is not `--name`.
	HasValue bool
}

// ParseArg reads `name=value`, `name`, and both with leading dashes. Underscores
// become dashes, as in every Kubernetes component.
func ParseArg(s string) Arg {
	name, value, has := strings.Cut(strings.TrimLeft(s, "-"), "=")
	return Arg{Name: strings.ReplaceAll(name, "_", "-"), Value: value, HasValue: has}
}

// String returns the argument as it is passed on.
func (a Arg) String() string {
	if a.HasValue {
		return "--" + a.Name + "=" + a.Value
	}
	return "--" + a.Name
}

// old finds the row for a flag of the lab that is gone under this name.
func old(c Component, name string) (Flag, bool) {
	for _, f := range Flags(c) {
		if f.Name == name && f.Status != Added && f.Current != name {
			return f, true
		}
	}
	return Flag{}, false
}

// translate turns an argument into today's form. keep is false when nothing is
// left of it; notice says in one line what was done, if anything was.
func translate(c Component, a Arg) (out Arg, keep bool, notice string, err error) {
	if change, ok := changed[a.Name]; ok && c == APIServer {
		out, notice = change(a)
		return out, out.Value != "", notice, nil
	}
	f, ok := old(c, a.Name)
	if !ok {
		return a, true, "", nil
	}
	if f.Status == Renamed {
		out = a
		out.Name = f.Current
		return out, true, fmt.Sprintf("%s --%s is --%s since %s; translated", c, f.Name, f.Current, f.Since), nil
	}
	if a.Name == "kubelet-https" && a.HasValue {
		if https, err := strconv.ParseBool(a.Value); err == nil && !https {
			return a, false, "", fmt.Errorf("%s --kubelet-https=false cannot be honoured: since %s the apiserver talks to kubelets over HTTPS only; remove the flag", c, f.Since)
		}
	}
	return a, false, fmt.Sprintf("%s --%s has no meaning since %s and is ignored: %s", c, f.Name, f.Since, f.Why), nil
}

// changed are the flags of kube-apiserver that keep their name but whose lab
// value has to change.
var changed = map[string]func(Arg) (out Arg, notice string){
	"enable-admission-plugins": withoutInitializers,
	"runtime-config":           withValues,
}

func withoutInitializers(a Arg) (out Arg, notice string) {
	var rest []string
	for _, p := range strings.Split(a.Value, ",") {
		if p != "Initializers" {
			rest = append(rest, p)
		}
	}
	out = a
	if out.Value = strings.Join(rest, ","); out.Value == a.Value {
		return a, ""
	}
	return out, fmt.Sprintf("%s --enable-admission-plugins: Initializers was removed in v1.14 and is left out", APIServer)
}

// withValues gives every key of --runtime-config without a value the one that
// it stood for.
func withValues(a Arg) (out Arg, notice string) {
	keys := strings.Split(a.Value, ",")
	for i, k := range keys {
		if k = strings.TrimSpace(k); k != "" && !strings.Contains(k, "=") {
			keys[i] = k + "=true"
		}
	}
	out = a
	if out.Value = strings.Join(keys, ","); out.Value == a.Value {
		return a, ""
	}
	return out, fmt.Sprintf("%s --runtime-config: a key needs a value today; using %s", APIServer, out.Value)
}

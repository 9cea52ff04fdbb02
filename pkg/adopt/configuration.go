// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// Value is one value of a key of khw-controller.yaml.
type Value struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// Lab is what the lab has for it; empty where it has nothing.
	Lab string `json:"lab,omitempty"`
	// Why says where it is from.
	Why string `json:"why"`
}

// configuration collects the values in the order of config.Keys.
type configuration struct {
	values  map[string][]Value
	notices []string
	shipped map[string][]string
}

func (c *configuration) add(key, value, inLab, why string) {
	c.values[key] = append(c.values[key], Value{key, value, inLab, why})
}

// sorted returns all values, key by key.
func (c *configuration) sorted() []Value {
	var all []Value
	for _, k := range config.Keys() {
		all = append(all, c.values[k.Name]...)
	}
	return all
}

// configure makes khw-controller.yaml of what the three units say.
func configure(units map[lab.Component]Unit, h Health) (*configuration, error) {
	c := &configuration{values: map[string][]Value{}}
	var err error
	if c.shipped, err = config.Read(string(paths.Config), config.Example()); err != nil {
		return nil, err
	}
	mine := map[lab.Component][]lab.Override{}
	for _, component := range lab.Components() {
		u := units[component]
		if mine[component], err = overrides(component, u); err != nil {
			return nil, err
		}
		found, notices, err := differences(component, mine[component])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", u.where(), err)
		}
		c.notices = append(c.notices, notices...)
		for _, d := range found {
			c.addFlag(component, u, d)
		}
		c.notices = append(c.notices, u.leftBehind()...)
	}
	if err := c.addApart(units[lab.APIServer], mine[lab.APIServer]); err != nil {
		return nil, err
	}
	if err := c.addProcessWide(mine); err != nil {
		return nil, err
	}
	c.addSigningKey(mine)
	c.addService(mine)
	c.addHealth(h)
	return c, nil
}

func argKey(c lab.Component) string { return string(c) + "-arg" }

func (c *configuration) addFlag(component lab.Component, u Unit, d difference) {
	value, why := strings.TrimPrefix(d.flag.String(), "--"), u.Name
	if d.flag.Unset {
		why = u.Name + " does not have it"
	}
	c.add(argKey(component), value, d.lab, why)
}

// addApart sets what has a key of its own.
func (c *configuration) addApart(u Unit, mine []lab.Override) error {
	address, servers := value(mine, "advertise-address"), value(mine, "etcd-servers")
	if servers == "" {
		return fmt.Errorf("%s: has no --etcd-servers", u.where())
	}
	if address != "" {
		c.add("advertise-address", address, "${INTERNAL_IP}", u.Name)
	}
	for server := range strings.SplitSeq(servers, ",") {
		c.add("etcd-servers", server, "", u.Name)
	}
	return nil
}

// value returns the last value that a flag is given, or "".
func value(mine []lab.Override, name string) string {
	for _, o := range slices.Backward(mine) {
		if o.Name == name {
			return o.Value
		}
	}
	return ""
}

// Keys and flags that hold for the whole process.
const (
	verbosity    = "v"
	loggingKey   = "logging-format"
	featureGates = "feature-gates"
)

// addProcessWide sets what the three processes have each their own of, and one
// process has one of.
func (c *configuration) addProcessWide(mine map[lab.Component][]lab.Override) error {
	c.addVerbosity(mine)
	gates := map[string]string{}
	others := map[string]lab.Override{}
	for _, component := range lab.Components() {
		for _, o := range mine[component] {
			switch before, again := others[o.Name]; {
			case o.Name == featureGates:
				if err := addGates(gates, o); err != nil {
					return err
				}
			case !plan.IsProcessWide(o.Name) || o.Name == verbosity:
			case again && before.Source != o.Source && before.Value != o.Value:
				return fmt.Errorf("--%s is %s in %s and %s in %s, but it holds for the whole process; make them the same first", o.Name, before.Value, before.Source, o.Value, o.Source)
			default:
				others[o.Name] = o
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		switch o := others[name]; {
		case name == loggingKey && o.Value != "text":
			c.add(loggingKey, o.Value, "", o.Source)
		case name != loggingKey:
			c.add(argKey(lab.APIServer), name+"="+o.Value, "", o.Source+"; it holds for the whole process")
		}
	}
	if len(gates) > 0 {
		var all []string
		for _, name := range slices.Sorted(maps.Keys(gates)) {
			all = append(all, name+"="+gates[name])
		}
		c.add(featureGates, strings.Join(all, ","), "", "the units' --feature-gates; they hold for the whole process")
	}
	return nil
}

func addGates(gates map[string]string, o lab.Override) error {
	for pair := range strings.SplitSeq(o.Value, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if name == "" {
			continue
		}
		if before, ok := gates[name]; ok && before != value {
			return fmt.Errorf("%s: --feature-gates has %s=%s, and another unit has %s, but gates hold for the whole process; make them the same first", o.Source, name, value, before)
		}
		gates[name] = value
	}
	return nil
}

// addVerbosity takes the highest: nobody sees less than before.
func (c *configuration) addVerbosity(mine map[lab.Component][]lab.Override) {
	highest, differ := 0, map[int]bool{}
	for _, component := range lab.Components() {
		level, err := strconv.Atoi(value(mine[component], verbosity))
		if err != nil {
			level = 0 // klog's own, for none
		}
		differ[level] = true
		highest = max(highest, level)
	}
	if len(differ) > 1 {
		c.notices = append(c.notices, fmt.Sprintf("the units' --v differ, and it holds for the whole process; using the highest, %d", highest))
	}
	if level := strconv.Itoa(highest); level != lab.Verbosity {
		c.add(verbosity, level, lab.Verbosity, "the units' --v")
	}
}

// addSigningKey has the apiserver sign tokens with the key that the lab gives to the
// controller-manager, where that is in another place than the lab's.
func (c *configuration) addSigningKey(mine map[lab.Component][]lab.Override) {
	const flag = "service-account-signing-key-file"
	key := value(mine[lab.ControllerManager], "service-account-private-key-file")
	if value(mine[lab.APIServer], flag) != "" || key == "" || key == string(paths.ServiceAccountKey) {
		return
	}
	c.add(argKey(lab.APIServer), flag+"="+key, "", "required since v1.20; the key is the controller-manager's")
}

// addService sets what the service needs that is not root, as in the config file that
// the packages install: where it may write.
func (c *configuration) addService(mine map[lab.Component][]lab.Override) {
	const audit, flex = "audit-log-path", "flex-volume-plugin-dir"
	for _, v := range c.shipped[argKey(lab.APIServer)] {
		where := lab.ParseArg(v)
		path := value(mine[lab.APIServer], audit)
		if where.Name != audit || path == "" || path == "-" || mayWrite(path) {
			continue
		}
		key := argKey(lab.APIServer)
		c.values[key] = slices.DeleteFunc(c.values[key], func(v Value) bool { return lab.ParseArg(v.Value).Name == audit })
		moved := filepath.Join(filepath.Dir(where.Value), filepath.Base(path))
		c.add(key, audit+"="+moved, string(paths.AuditLog), "was "+path+", where the service may not write; what is there stays")
	}
	for _, v := range c.shipped[argKey(lab.ControllerManager)] {
		if lab.ParseArg(v).Name == flex && value(mine[lab.ControllerManager], flex) == "" {
			c.add(argKey(lab.ControllerManager), v, "", "the default is below /usr, where the service may not write")
		}
	}
}

// mayWrite reports whether the service's unit lets it write below a path: its
// ReadWritePaths, and the directories that systemd makes for it.
func mayWrite(path string) bool {
	for _, dir := range []string{string(paths.LabDir), string(paths.EtcdDir), "/var/lib/" + User, "/var/log/" + User, "/run/" + User} {
		if strings.HasPrefix(filepath.Clean(path), dir+"/") {
			return true
		}
	}
	return false
}

const healthKey = "healthz-bind-address"

// addHealth has health checks answered where nginx did.
func (c *configuration) addHealth(h Health) {
	switch address := h.address(); {
	case h.Action == KeepNginx:
		c.add(healthKey, "", labHealth, "nginx goes on answering: it serves other sites on this port")
	case address != labHealth:
		c.add(healthKey, address, labHealth, h.File)
	}
}

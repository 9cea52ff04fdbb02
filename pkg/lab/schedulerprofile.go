// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"maps"
	"slices"
)

// profile is one scheduler profile in today's form.
type profile struct {
	fields
}

// readProfiles converts the profiles of a document. Before v1alpha2 there was
// one, and its keys were those of the document.
func (c *schedulerConversion) readProfiles(doc fields) error {
	if c.from >= v1Alpha2 {
		all, err := list("profiles", doc["profiles"])
		if err != nil {
			return err
		}
		for i, p := range all {
			if err := c.addProfile(fmt.Sprintf("profiles[%d]", i), p); err != nil {
				return err
			}
		}
		return nil
	}
	one := fields{}
	for _, key := range []string{"schedulerName", "plugins", "pluginConfig"} {
		if doc[key] != nil {
			one[key] = doc[key]
		}
	}
	if len(one) == 0 {
		return nil
	}
	return c.addProfile("", one)
}

// addProfile converts one profile; path is where it is in the document, empty
// for the document itself.
func (c *schedulerConversion) addProfile(path string, value any) error {
	old, err := only(path, value, "schedulerName", "plugins", "pluginConfig")
	if err != nil {
		return err
	}
	if path != "" {
		path += "."
	}
	p := &profile{fields{}}
	if old["schedulerName"] != nil {
		p.fields["schedulerName"] = old["schedulerName"]
	}
	s := &strategy{args: map[string]fields{}}
	if err := c.pluginArgs(p, path+"pluginConfig", old["pluginConfig"], s); err != nil {
		return err
	}
	if err := c.plugins(p, path+"plugins", old["plugins"], s); err != nil {
		return err
	}
	if err := c.setScoring(p, path+"pluginConfig", s); err != nil {
		return err
	}
	c.profiles = append(c.profiles, p.fields)
	return nil
}

// eachProfile applies a setting that held for the whole scheduler.
func (c *schedulerConversion) eachProfile(apply func(*profile) error) error {
	if len(c.profiles) == 0 {
		c.profiles = []fields{{}}
	}
	for _, p := range c.profiles {
		if err := apply(&profile{p}); err != nil {
			return err
		}
	}
	return nil
}

// args returns the arguments of a plugin in the profile, made if need be.
func (p *profile) args(plugin string) (fields, error) {
	config, _ := p.fields["pluginConfig"].([]any)
	for _, entry := range config {
		e, _ := entry.(fields)
		if e["name"] != plugin {
			continue
		}
		if e["args"] == nil {
			e["args"] = fields{}
		}
		args, ok := e["args"].(fields)
		if !ok {
			return nil, fmt.Errorf("pluginConfig: the args of %s are not a map", plugin)
		}
		return args, nil
	}
	args := fields{}
	p.fields["pluginConfig"] = append(config, fields{"name": plugin, "args": args})
	return args, nil
}

// setArg sets an argument of a plugin that was a key of the document.
func (p *profile) setArg(key, plugin, arg string, value any) error {
	args, err := p.args(plugin)
	if err != nil {
		return err
	}
	if args[arg] != nil {
		return fmt.Errorf("%s and %s of plugin %s are one; remove one", key, arg, plugin)
	}
	args[arg] = value
	return nil
}

// disable turns a plugin off at one extension point.
func (p *profile) disable(point, plugin string) error {
	plugins, _ := p.fields["plugins"].(fields)
	if plugins == nil {
		plugins = fields{}
		p.fields["plugins"] = plugins
	}
	set, _ := plugins[point].(fields)
	if set == nil {
		set = fields{}
		plugins[point] = set
	}
	disabled, _ := set["disabled"].([]any)
	set["disabled"] = append(disabled, fields{"name": plugin})
	return nil
}

// extensionPoints are those that the old versions had under today's names.
var extensionPoints = []string{"queueSort", "preFilter", "filter", "postFilter", "preScore", "score", "reserve", "permit",
	"preBind", "bind", "postBind", "multiPoint"}

const unreserve = "unreserve"

// plugins converts what is on and off at each extension point.
func (c *schedulerConversion) plugins(p *profile, path string, value any, s *strategy) error {
	if value == nil {
		return nil
	}
	points, err := only(path, value, append(slices.Clone(extensionPoints), unreserve)...)
	if err != nil {
		return err
	}
	out := fields{}
	for _, point := range slices.Sorted(maps.Keys(points)) {
		at := path + "." + point
		if point == unreserve {
			c.leaveOut(at, "a plugin undoes itself what it reserved since v1.19")
			continue
		}
		set, err := only(at, points[point], "enabled", "disabled")
		if err != nil {
			return err
		}
		if set, err = c.pluginSet(at, set, s); err != nil {
			return err
		}
		if point == "postFilter" && c.from <= v1Alpha1 {
			point = "preScore" // its name since v1.18
		}
		out[point] = set
	}
	p.fields["plugins"] = out
	return nil
}

func list(key string, value any) ([]any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []any:
		return v, nil
	}
	return nil, fmt.Errorf("%s is not a list", key)
}

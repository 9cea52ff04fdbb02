// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// Key is one setting: a flag of `run` and a key of the config file.
type Key struct {
	// Name is that of the flag, without dashes, and of the key.
	Name string
	// Type says what a value looks like, for help texts.
	Type string
	// Default says what holds when the key is not set.
	Default string
	// Doc documents the key, in plain sentences.
	Doc string
	// List tells that the key may be given several times; a list in the file.
	List bool

	set func(c *Config, source, value string)
}

// Keys lists every key, in the order of the documentation.
func Keys() []Key {
	return []Key{
		{
			Name: "advertise-address", Type: "IP", Default: "cloud metadata, else the default route's address",
			Doc: "The address at which other machines reach this controller's apiserver: ${INTERNAL_IP} in the lab. Unset, " +
				"the metadata services of GCP and AWS are asked, both at once and for less than a second.",
			set: func(c *Config, _, v string) { c.AdvertiseAddress = v },
		},
		{
			Name: "etcd-servers", Type: "URL,...", Default: "an embedded etcd", List: true,
			Doc: "The etcd members to use, as in the lab: https://10.240.0.10:2379,https://10.240.0.11:2379,... " +
				"They are reached with the lab's client certificate. Unset, one etcd member runs inside this process.",
			set: func(c *Config, _, v string) { c.EtcdServers = append(c.EtcdServers, strings.Split(v, ",")...) },
		},
		argKey(lab.APIServer),
		argKey(lab.ControllerManager),
		argKey(lab.Scheduler),
		{
			Name: "etcd-arg", Type: "name=value", List: true,
			Doc: "A flag for the embedded etcd, such as quota-backend-bytes=8589934592. Repeatable.",
			set: func(c *Config, source, v string) {
				c.EtcdArgs = append(c.EtcdArgs, lab.Override{Arg: lab.ParseArg(v), Source: source})
			},
		},
		{
			Name: "feature-gates", Type: "name=bool,...", Default: "Kubernetes' own",
			Doc: "Feature gates. They hold for the whole process: every component knows all of them.",
			set: func(c *Config, _, v string) { c.FeatureGates = v },
		},
		{
			Name: "logging-format", Type: "text|json", Default: "text",
			Doc: "How log lines look. It holds for the whole process.",
			set: func(c *Config, _, v string) { c.LoggingFormat = v },
		},
		{
			Name: "v", Type: "level", Default: "2, the lab's",
			Doc: "How much is logged, 0 to 10. It holds for the whole process.",
			set: func(c *Config, _, v string) { c.Verbosity = v },
		},
	}
}

func argKey(component lab.Component) Key {
	return Key{
		Name: string(component) + "-arg", Type: "name=value", List: true, Default: "the lab's flags",
		Doc: "A flag for " + string(component) + ", such as profiling=false. It beats the lab's value; the lab's old spellings are " +
			"understood. Repeatable. `khw-controller flags` shows what is in force.",
		set: func(c *Config, source, v string) {
			c.Args[component] = append(c.Args[component], lab.Override{Arg: lab.ParseArg(v), Source: source})
		},
	}
}

func key(name string) (Key, bool) {
	for _, k := range Keys() {
		if k.Name == name {
			return k, true
		}
	}
	return Key{}, false
}

func keyNames() []string {
	var names []string
	for _, k := range Keys() {
		names = append(names, k.Name)
	}
	return names
}

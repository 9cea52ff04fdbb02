// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// defaultHealthzBindAddress is the port of the lab's nginx.
const defaultHealthzBindAddress = "0.0.0.0:80"

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
	// List reports whether the key may be set several times; a list in the file.
	List bool

	set func(c *Config, source, value string) error
}

// Keys lists every key, in the order of the documentation.
func Keys() []Key {
	return []Key{
		{
			Name: "advertise-address", Type: "IP", Default: "cloud metadata, else the default route's address",
			Doc: "The address at which other machines reach this controller's apiserver: ${INTERNAL_IP} in the lab. Unset, " +
				"the metadata services of GCP and AWS are asked, both at once and for less than a second.",
			set: text(func(c *Config) *string { return &c.AdvertiseAddress }),
		},
		{
			Name: "etcd-servers", Type: "URL,...", Default: "an embedded etcd", List: true,
			Doc: "The etcd members to use, as in the lab: https://10.240.0.10:2379,https://10.240.0.11:2379,... " +
				"They are reached with the lab's client certificate. Unset, one etcd member runs inside this process.",
			set: func(c *Config, _, v string) error {
				c.EtcdServers = append(c.EtcdServers, strings.Split(v, ",")...)
				return nil
			},
		},
		{
			Name: "healthz-bind-address", Type: "host:port", Default: defaultHealthzBindAddress,
			Doc: "Where health checks are answered over plain HTTP, for load balancers that cannot do them over HTTPS: the lab's " +
				"nginx. /, /healthz, /livez and /readyz say ok with 200, or why not in one word with 503. Empty turns it off. A socket " +
				"that systemd passes (khw-controller.socket) takes its place.",
			set: text(func(c *Config) *string { return &c.HealthzBindAddress }),
		},
		{
			Name: "shutdown-delay", Type: "duration", Default: "0s",
			Doc: "How long, from the moment a stop begins, health checks say no while everything is still served, so that load " +
				"balancers send nobody any more. Twice a load balancer's check interval is enough: 10s for the lab's.",
			set: func(c *Config, _, v string) (err error) {
				if c.ShutdownDelay, err = time.ParseDuration(v); err != nil || c.ShutdownDelay < 0 {
					return fmt.Errorf("%q is not a duration; write it like 10s", v)
				}
				return nil
			},
		},
		argKey(lab.APIServer),
		argKey(lab.ControllerManager),
		argKey(lab.Scheduler),
		{
			Name: "etcd-arg", Type: "name=value", List: true,
			Doc: "A flag for the embedded etcd, such as quota-backend-bytes=8589934592. Repeatable.",
			set: func(c *Config, source, v string) error {
				a := lab.ParseArg(v)
				if a.Unset {
					return fmt.Errorf("%q: a flag of etcd cannot be unset; write name=value", v)
				}
				c.EtcdArgs = append(c.EtcdArgs, lab.Override{Arg: a, Source: source})
				return nil
			},
		},
		{
			Name: "feature-gates", Type: "name=bool,...", Default: "Kubernetes' own",
			Doc: "Feature gates. They hold for the whole process: every component knows all of them.",
			set: text(func(c *Config) *string { return &c.FeatureGates }),
		},
		{
			Name: "logging-format", Type: "text|json", Default: "text",
			Doc: "How log lines look. It holds for the whole process.",
			set: text(func(c *Config) *string { return &c.LoggingFormat }),
		},
		{
			Name: "v", Type: "level", Default: "2, the lab's",
			Doc: "How much is logged, 0 to 10. It holds for the whole process. 0 is what this program itself has to say, and " +
				"every component's errors; 1 adds what Kubernetes' daemons say at their 0.",
			set: text(func(c *Config) *string { return &c.Verbosity }),
		},
	}
}

func argKey(component lab.Component) Key {
	return Key{
		Name: string(component) + "-arg", Type: "name=value", List: true, Default: "the lab's flags",
		Doc: "A flag for " + string(component) + ", such as profiling=false. It beats the lab's value; name- (with a dash, and no " +
			"value) gives it up. Flags and values of every Kubernetes since v1.10 are understood, or refused with what to use. " +
			"Repeatable. `khw-controller flags` shows what is in force.",
		set: func(c *Config, source, v string) error {
			c.Args[component] = append(c.Args[component], lab.Override{Arg: lab.ParseArg(v), Source: source})
			return nil
		},
	}
}

// text sets a string.
func text(field func(*Config) *string) func(*Config, string, string) error {
	return func(c *Config, _, v string) error {
		*field(c) = v
		return nil
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

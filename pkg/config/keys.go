// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

// DefaultHealthzBindAddress is the port of the lab's nginx.
const DefaultHealthzBindAddress = "0.0.0.0:80"

// The schedule of snapshots, when nobody says otherwise.
const (
	defaultSnapshotInterval = 12 * time.Hour
	defaultSnapshotKeep     = 5
	// defaultUnhealthyThreshold is that of GCP and AWS.
	defaultUnhealthyThreshold = 2
)

// defaultDefragInterval is how often etcd is defragmented where it gains.
const defaultDefragInterval = 7 * 24 * time.Hour

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

	// whole tells that the values of a list are one setting, so that a flag beats all
	// that are in the file.
	whole bool
	set   func(c *Config, source, value string) error
}

// Keys lists every key, in the order of the documentation.
func Keys() []Key {
	return []Key{
		{
			Name: "advertise-address", Type: "IP", Default: "cloud metadata, else the default route's address",
			Doc: "The address at which other machines reach this controller's apiserver: ${INTERNAL_IP} in the lab. Unset, " +
				"the metadata service of GCP or AWS is asked where the machine's firmware (DMI) names one of them, for less than a second.",
			set: text(func(c *Config) *string { return &c.AdvertiseAddress }),
		},
		{
			Name: "etcd-servers", Type: "URL,...", Default: "an embedded etcd", List: true, whole: true,
			Doc: "The etcd members to use, as in the lab: https://10.240.0.10:2379,https://10.240.0.11:2379,... " +
				"They are reached with the lab's client certificate. Unset, an etcd member runs inside this process.",
			set: func(c *Config, _, v string) error {
				c.EtcdServers = append(c.EtcdServers, strings.Split(v, ",")...)
				return nil
			},
		},
		{
			Name: "controllers", Type: "name=IP,...", Default: "this one alone", List: true, whole: true,
			Doc: "Every controller of the cluster, by its hostname and the address at which the others reach it: " +
				"controller-0=10.240.0.10,controller-1=10.240.0.11,... This one finds itself by its addresses, else by its hostname. " +
				"With more than one and without etcd-servers, the embedded etcd is one member of their cluster, on ports 2379 and " +
				"2380, as in lab chapter 07; the lab's files have to be those of one certificate authority on all of them.",
			set: func(c *Config, _, v string) error {
				c.Controllers = append(c.Controllers, strings.Split(v, ",")...)
				return nil
			},
		},
		{
			Name: "snapshot-interval", Type: "duration", Default: "12h",
			Doc: "How often a snapshot of etcd is saved in /var/lib/khw-controller/snapshots, give or take a tenth; 0 turns it off. " +
				"Every controller saves its own. Keep the encryption configuration with them: without it, nobody can read the secrets.",
			set: func(c *Config, _, v string) (err error) {
				if c.SnapshotInterval, err = time.ParseDuration(v); err != nil || c.SnapshotInterval < 0 {
					return fmt.Errorf("%q is not a duration; write it like 12h, or 0 for none", v)
				}
				return nil
			},
		},
		{
			Name: "snapshot-keep", Type: "number", Default: "5",
			Doc: "How many of these snapshots are kept, the newest ones; at least 1.",
			set: func(c *Config, _, v string) (err error) {
				if c.SnapshotKeep, err = strconv.Atoi(v); err != nil || c.SnapshotKeep < 1 {
					return fmt.Errorf("%q is not a number of at least 1", v)
				}
				return nil
			},
		},
		{
			Name: "snapshot-s3-bucket", Type: "name", Default: "none",
			Doc: "The bucket of an S3-compatible store into which these snapshots are copied too, as many; each controller's are in a " +
				"directory with its name. A copy that fails is tried again, and the snapshot stays here. The credentials are the AWS SDK's " +
				"usual ones: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, ~/.aws/credentials, or the machine's role.",
			set: text(func(c *Config) *string { return &c.SnapshotS3.Bucket }),
		},
		{
			Name: "snapshot-s3-prefix", Type: "path", Default: "none",
			Doc: "What comes before the controller's name in the bucket, such as clusters/blue.",
			set: text(func(c *Config) *string { return &c.SnapshotS3.Prefix }),
		},
		{
			Name: "snapshot-s3-endpoint", Type: "URL", Default: "AWS, or AWS_ENDPOINT_URL_S3",
			Doc: "Where the store is, if that is not AWS: https://minio.example.org:9000. The bucket comes behind it as a path then.",
			set: func(c *Config, _, v string) error {
				if u, err := url.Parse(v); v != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
					return fmt.Errorf("%q is no URL; write it like https://minio.example.org:9000", v)
				}
				c.SnapshotS3.Endpoint = v
				return nil
			},
		},
		{
			Name: "snapshot-s3-region", Type: "region", Default: "AWS_REGION, the profile's, or this machine's",
			Doc: "The bucket's region.",
			set: text(func(c *Config) *string { return &c.SnapshotS3.Region }),
		},
		{
			Name: "snapshot-s3-ca-file", Type: "file", Default: "the machine's CAs, or AWS_CA_BUNDLE",
			Doc: "A PEM file with the CAs that the store's certificate may be signed by, beside the machine's.",
			set: text(func(c *Config) *string { return &c.SnapshotS3.CAFile }),
		},
		{
			Name: "defrag-interval", Type: "duration", Default: "168h",
			Doc: "How often the members of the embedded etcd are looked at, and defragmented where that gains: where more than half of a " +
				"database, and more than 100 MB, is free. They are so one at a time, the leader last, and never one that the cluster " +
				"cannot spare meanwhile. 0 turns it off. `khw-controller etcd defrag` does it at once.",
			set: func(c *Config, _, v string) (err error) {
				if c.DefragInterval, err = time.ParseDuration(v); err != nil || c.DefragInterval < 0 {
					return fmt.Errorf("%q is not a duration; write it like 168h, or 0 for none", v)
				}
				return nil
			},
		},
		{
			Name: "healthz-bind-address", Type: "host:port", Default: DefaultHealthzBindAddress,
			Doc: "Where health checks are answered over plain HTTP, for load balancers that cannot do them over HTTPS: the lab's " +
				"nginx. /, /healthz, /livez and /readyz say ok with 200, or why not in one word with 503. Empty turns it off. A socket " +
				"that systemd passes (khw-controller.socket) takes its place.",
			set: text(func(c *Config) *string { return &c.HealthzBindAddress }),
		},
		{
			Name: "healthz-grace", Type: "duration", Default: "0s",
			Doc: "How long an ok to a health check stands for while the apiserver is late with its next answer; it is asked on meanwhile. " +
				"So much later a load balancer hears of one that hangs.",
			set: func(c *Config, _, v string) (err error) {
				if c.HealthzGrace, err = time.ParseDuration(v); err != nil || c.HealthzGrace < 0 {
					return fmt.Errorf("%q is not a duration; write it like 10s", v)
				}
				return nil
			},
		},
		{
			Name: "healthz-unhealthy-threshold", Type: "number", Default: strconv.Itoa(defaultUnhealthyThreshold),
			Doc: "How many checks in a row have to fail before a load balancer sends nobody here any more: UnhealthyThreshold on AWS, " +
				"unhealthyThreshold on GCP, fall of HAProxy and Keepalived. A stop waits for as many.",
			set: func(c *Config, _, v string) (err error) {
				if c.HealthzUnhealthyThreshold, err = strconv.Atoi(v); err != nil || c.HealthzUnhealthyThreshold < 1 {
					return fmt.Errorf("%q is not a number from 1 on; write how many failed checks a load balancer waits for, such as 3", v)
				}
				return nil
			},
		},
		{
			Name: "shutdown-delay", Type: "duration", Default: "as long as those need that check health, a minute at most",
			Doc: "How long, from the moment a stop begins, health checks say no while everything is still served, so that load " +
				"balancers send nobody any more. Unset, it is as long as it takes until everybody who checks health at an interval of " +
				"a minute or less has heard no healthz-unhealthy-threshold times, and nothing when nobody did lately; `khw-controller " +
				"status` says how long that is. Set it where the checks do not come in at healthz-bind-address.",
			set: func(c *Config, _, v string) error {
				delay, err := time.ParseDuration(v)
				if err != nil || delay < 0 {
					return fmt.Errorf("%q is not a duration; write it like 10s", v)
				}
				c.ShutdownDelay = &delay
				return nil
			},
		},
		{
			Name: "auto-renew-certificates", Type: "true|false", Default: "false",
			Doc: "Renew the certificates that this program has made on this machine, and that are as it made them, when two thirds " +
				"of their life are over: as khw-controller certs renew does. Those of an operator, or of a bundle, are not touched.",
			set: func(c *Config, _, v string) (err error) {
				if c.AutoRenewCertificates, err = strconv.ParseBool(v); err != nil {
					return fmt.Errorf("%q is neither true nor false", v)
				}
				return nil
			},
		},
		{
			Name: "profile", Type: strings.Join(profile.Names(), "|"), Default: "none", List: true, whole: true,
			Doc: "Settings that belong together, under one name (docs/profiles.md). edge is " + profile.Doc(profile.Edge) + ". cis is " +
				profile.Doc(profile.CIS) + ". Whatever is set here or by a flag beats them. Every controller of a cluster should have the same.",
			set: func(c *Config, _, v string) error {
				names, err := profile.Parse(v)
				c.Profiles = append(c.Profiles, names...)
				return err
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
				"every component's errors; 2 adds their warnings; 4 and more is all that Kubernetes' daemons log at that level. Below " +
				"4, errors and warnings that say the same again within a minute are counted.",
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

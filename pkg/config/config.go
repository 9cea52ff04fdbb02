// SPDX-License-Identifier: Apache-2.0

// Package config turns the flags of `khw-controller run` and the one config
// file into one Config. Every key is defined, with its documentation, in Keys;
// the flags, the file, the help text and the reference all come from there.
package config

import (
	"path/filepath"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// FromFlag is the source of a value that came from the command line; that of
// any other is the config file's name.
const FromFlag = "flag"

// Config is what a user asked for: flags over file. What neither sets is empty.
type Config struct {
	// Root is put before every path of the lab; empty for the lab's own.
	Root string
	// File is the config file that was read, or empty.
	File string

	// Profiles are settings under a name, below all that is set here.
	Profiles []string

	AdvertiseAddress string
	EtcdServers      []string
	// Controllers are the cluster's controllers, name=address each.
	Controllers []string
	// SnapshotInterval is how old etcd's newest snapshot may get; 0 for none, and
	// SnapshotKeep how many are kept.
	SnapshotInterval time.Duration
	SnapshotKeep     int
	// SnapshotS3 is the bucket for copies of them.
	SnapshotS3 S3
	// DefragInterval is how often the embedded etcd may be defragmented; 0 for never.
	DefragInterval time.Duration
	// HealthzBindAddress is where health checks are answered; empty for nowhere.
	HealthzBindAddress string
	// HealthzGrace is how long a yes to a health check stands for while the apiserver is
	// late with the next answer; below 0 where nobody says.
	HealthzGrace time.Duration
	// HealthzUnhealthyThreshold is how often in a row load balancers have to hear no
	// before they believe it.
	HealthzUnhealthyThreshold int
	// ShutdownDelay is how long a stop waits for load balancers to notice; nil for as
	// long as those need that check health.
	ShutdownDelay *time.Duration
	// AutoRenewCertificates has the certificates that were made here renew themselves.
	AutoRenewCertificates bool

	FeatureGates  string
	LoggingFormat string
	Verbosity     string

	// Args are the flags for each component, in the order they were set, those of the
	// file first.
	Args map[lab.Component][]lab.Override
	// EtcdArgs are the flags for the embedded etcd.
	EtcdArgs []lab.Override

	// requested is what each key was set to, for Changed.
	requested map[string][]string
}

// S3 is a bucket of an S3-compatible store; without a Bucket there is none.
type S3 struct{ Bucket, Prefix, Endpoint, Region, CAFile string }

// Path returns a path of the lab below the root.
func (c *Config) Path(labPath string) string { return filepath.Join(c.Root, labPath) }

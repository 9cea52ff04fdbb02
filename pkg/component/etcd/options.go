// SPDX-License-Identifier: Apache-2.0

// Package etcd runs one embedded etcd member.
package etcd

import (
	"flag"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strings"

	"go.etcd.io/etcd/pkg/v3/flags"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/khw-controller/khw-controller/pkg/controllers"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// Setting is one flag of etcd and its value.
type Setting struct{ Name, Value string }

// TLS names the files with which the member identifies itself and verifies
// clients and peers: lab chapter 07 uses one certificate for all of it.
type TLS struct{ CertFile, KeyFile, CAFile string }

// Defaults are the settings of a single embedded member, in the order and
// spelling of lab chapter 07's etcd.service, but on loopback only: nothing else
// has to reach it.
func Defaults(name, dataDir string, tls TLS) []Setting {
	return append(identity(name, tls), []Setting{
		{"listen-peer-urls", "https://127.0.0.1:2380"},
		{"listen-client-urls", loopbackClient},
		{"initial-cluster-token", "etcd-cluster-0"},
		{"initial-cluster-state", "new"},
		{"data-dir", dataDir},
		{"heartbeat-interval", heartbeat},
		{"election-timeout", electionTimeout},
		{"quota-backend-bytes", quota},
	}...)
}

// identity are the settings with which chapter 07's begin: who the member is, and
// whom it believes.
func identity(name string, tls TLS) []Setting {
	return []Setting{
		{"name", name},
		{"cert-file", tls.CertFile},
		{"key-file", tls.KeyFile},
		{"peer-cert-file", tls.CertFile},
		{"peer-key-file", tls.KeyFile},
		{"trusted-ca-file", tls.CAFile},
		{"peer-trusted-ca-file", tls.CAFile},
		{"peer-client-cert-auth", "true"},
		{"client-cert-auth", "true"},
	}
}

// ClusterDefaults are the settings of the member on self in the cluster of all
// controllers: those of lab chapter 07's etcd.service, with etcd's own timings
// (100 and 1000 ms), which bear the delays of a network, and its two checks
// against members whose data have come apart: of its own before it serves, and of
// all at each compaction. The apiserver compacts the history, every five minutes
// (--etcd-compaction-interval), so that etcd's own compaction stays off.
func ClusterDefaults(self controllers.Controller, all controllers.List, dataDir string, tls TLS) []Setting {
	var members []string
	for _, c := range all {
		members = append(members, c.Name+"="+PeerURL(c))
	}
	client := "https://" + netip.AddrPortFrom(self.Address, clientPort).String()
	return append(identity(self.Name, tls), []Setting{
		{"initial-advertise-peer-urls", PeerURL(self)},
		{"listen-peer-urls", PeerURL(self)},
		{"listen-client-urls", client + "," + loopbackClient},
		{"advertise-client-urls", client},
		{"initial-cluster-token", "etcd-cluster-0"},
		{"initial-cluster", strings.Join(members, ",")},
		{"initial-cluster-state", "new"},
		{"data-dir", dataDir},
		{"quota-backend-bytes", quota},
		{"feature-gates", "InitialCorruptCheck=true,CompactHashCheck=true"},
	}...)
}

// loopbackClient is where the controller's own apiserver reaches its member.
const loopbackClient = "https://127.0.0.1:2379"

// Ports of the lab's etcd.
const (
	clientPort = 2379
	peerPort   = 2380
)

// PeerURL is where the other members reach the one on c.
func PeerURL(c controllers.Controller) string {
	return "https://" + netip.AddrPortFrom(c.Address, peerPort).String()
}

// quota is what the database may grow to, in bytes: the 8 GiB that etcd suggests
// at most (https://etcd.io/docs/latest/dev-guide/limit/). Its own 2 GiB are what a
// few thousand nodes and their events fill; then all that can still be written is
// what deletes. Nothing is taken before it is needed, and status warns from four
// fifths on.
const quota = "8589934592"

// Timings of a member that is alone, in milliseconds. It waits out an election
// with itself at every start, which with etcd's 100 and 1000 is up to a second;
// there is no network whose delays they would have to bear.
const (
	heartbeat       = "50"
	electionTimeout = "250"
)

// Configure turns settings into etcd's configuration; later ones beat earlier
// ones. What is advertised follows what is listened on unless it is set.
func Configure(settings []Setting) (*embed.Config, error) {
	cfg := embed.NewConfig()
	fs := flag.NewFlagSet("etcd", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	cfg.AddFlags(fs)
	state := flags.NewSelectiveStringValue(embed.ClusterStateFlagNew, embed.ClusterStateFlagExisting)
	fs.Var(state, "initial-cluster-state", "")
	for _, s := range settings {
		if fs.Lookup(s.Name) == nil {
			return nil, unknown(fs, s.Name)
		}
		if err := fs.Set(s.Name, s.Value); err != nil {
			return nil, fmt.Errorf("--etcd-arg %s=%s: %w", s.Name, s.Value, err)
		}
	}
	readLists(cfg, fs)
	cfg.ClusterState = state.String()
	if !flags.IsSet(fs, "advertise-client-urls") {
		cfg.AdvertiseClientUrls = cfg.ListenClientUrls
	}
	if !flags.IsSet(fs, "initial-advertise-peer-urls") {
		cfg.AdvertisePeerUrls = cfg.ListenPeerUrls
	}
	if !flags.IsSet(fs, "initial-cluster") {
		cfg.InitialCluster = cfg.Name + "=" + join(cfg.AdvertisePeerUrls)
	}
	fs.Visit(func(f *flag.Flag) { cfg.FlagsExplicitlySet[f.Name] = true })
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop()) // New sets the one to run with
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("--etcd-arg: %w", err)
	}
	return cfg, nil
}

// readLists fetches the values that embed.Config.AddFlags leaves in the flag
// set (etcdmain/config.go, configFromCmdLine).
func readLists(cfg *embed.Config, fs *flag.FlagSet) {
	cfg.ListenPeerUrls = flags.UniqueURLsFromFlag(fs, "listen-peer-urls")
	cfg.AdvertisePeerUrls = flags.UniqueURLsFromFlag(fs, "initial-advertise-peer-urls")
	cfg.ListenClientUrls = flags.UniqueURLsFromFlag(fs, "listen-client-urls")
	cfg.ListenClientHttpUrls = flags.UniqueURLsFromFlag(fs, "listen-client-http-urls")
	cfg.AdvertiseClientUrls = flags.UniqueURLsFromFlag(fs, "advertise-client-urls")
	cfg.ListenMetricsUrls = flags.UniqueURLsFromFlag(fs, "listen-metrics-urls")
	cfg.DiscoveryCfg.Endpoints = flags.UniqueStringsFromFlag(fs, "discovery-endpoints")
	cfg.CORS = flags.UniqueURLsMapFromFlag(fs, "cors")
	cfg.HostWhitelist = flags.UniqueStringsMapFromFlag(fs, "host-whitelist")
	cfg.ClientTLSInfo.AllowedHostnames = flags.StringsFromFlag(fs, "client-cert-allowed-hostname")
	cfg.PeerTLSInfo.AllowedCNs = flags.StringsFromFlag(fs, "peer-cert-allowed-cn")
	cfg.PeerTLSInfo.AllowedHostnames = flags.StringsFromFlag(fs, "peer-cert-allowed-hostname")
	cfg.CipherSuites = flags.StringsFromFlag(fs, "cipher-suites")
	cfg.MaxConcurrentStreams = flags.Uint32FromFlag(fs, "max-concurrent-streams")
	cfg.LogOutputs = flags.UniqueStringsFromFlag(fs, "log-outputs")
}

func unknown(fs *flag.FlagSet, name string) error {
	var known []string
	fs.VisitAll(func(f *flag.Flag) { known = append(known, f.Name) })
	if nearest := lab.Nearest(name, known); nearest != "" {
		return fmt.Errorf("--etcd-arg %s: there is no such flag; did you mean %s?", name, nearest)
	}
	return fmt.Errorf("--etcd-arg %s: there is no such flag", name)
}

func join(urls []url.URL) string {
	var parts []string
	for _, u := range urls {
		parts = append(parts, u.String())
	}
	return strings.Join(parts, ",")
}

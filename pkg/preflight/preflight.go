// SPDX-License-Identifier: Apache-2.0

// Package preflight judges whether a control plane would run here, before
// anything is written or served. Every finding names the file or flag and the
// fix; all of them are returned at once; nothing is changed.
package preflight

import (
	"context"
	"net"
	"slices"
	"time"
)

// Severity says whether a finding stops the start.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that is wrong here.
type Finding struct {
	Severity Severity `json:"severity"`
	// Subject is the file or flag.
	Subject string `json:"subject"`
	// Problem says what is wrong with it.
	Problem string `json:"problem"`
	// Fix says what to do.
	Fix string `json:"fix"`
}

// String returns the finding as one line.
func (f Finding) String() string { return f.Subject + ": " + f.Problem + "; " + f.Fix }

// IsError says whether the finding stops the start.
func (f Finding) IsError() bool { return f.Severity == Error }

// File is a file and the flag that names it.
type File struct{ Flag, Path string }

// Pair is a certificate and its key.
type Pair struct{ Cert, Key File }

// Value is a flag's value.
type Value struct{ Flag, Value string }

// Dir is a directory that will be written to, and what will go there.
type Dir struct {
	Path string
	// Flag moves it elsewhere; empty for one of the lab's own.
	Flag string
	// Need is the free space wanted, in bytes.
	Need uint64
}

// Input is what is judged: every value resolved, nothing left to look up.
type Input struct {
	// Now is the time by which certificates are judged.
	Now time.Time
	// BeforeRun tells that run comes later: a port that systemd listens on may be
	// one that it hands over then.
	BeforeRun bool
	// LockPath is the root's lock file.
	LockPath string

	// Generate tells that none of Required exists and all will be made.
	Generate bool
	// Required are the lab's files.
	Required []File

	ClientCA, EtcdCA, KubeletCA, RootCA File
	Signing, Serving, KubeletClient     Pair
	// EtcdClient is the client certificate for EtcdServers.
	EtcdClient Pair
	// ServiceAccount is the public key or certificate that tokens are verified
	// with, and the key that signs them.
	ServiceAccount Pair
	// TokensKey is the controller-manager's copy of that key.
	TokensKey        File
	EncryptionConfig File
	Kubeconfigs      []File

	// AdvertiseAddress and Port are where the apiserver is reached.
	AdvertiseAddress net.IP
	Port             int
	// ServiceRanges are the components' service ranges, the apiserver's first.
	ServiceRanges []Value
	// Ports are the addresses that will be listened on, as host:port.
	Ports []Value
	// EtcdServers are external etcd members; none: an embedded one.
	EtcdServers []string
	// EtcdDataDir is the embedded member's.
	EtcdDataDir string
	// Dirs will be written to.
	Dirs []Dir
	// Written are files that will be written to, there already or not.
	Written []string
}

// Run makes every check, in a fixed order.
func Run(ctx context.Context, in Input) []Finding {
	all := checkAccess(in)
	if len(all) > 0 {
		// What cannot be read is not judged.
		return append(all, checkElsewhere(in)...)
	}
	if held := checkLock(in); len(held) > 0 {
		// Its ports are taken and its directories in use: one finding says it all.
		return held
	}
	if in.Generate {
		all = append(all, checkGenerate(in)...)
	} else if missing := checkRequired(in); len(missing) > 0 {
		all = append(all, missing...)
	} else {
		all = append(all, checkCertificates(in)...)
		all = append(all, checkServiceAccount(in)...)
		all = append(all, checkKubeconfigs(in)...)
		all = append(all, checkEncryption(in)...)
		all = append(all, checkEtcd(ctx, in)...)
	}
	return append(all, checkElsewhere(in)...)
}

// checkElsewhere makes the checks that need none of the lab's files.
func checkElsewhere(in Input) []Finding {
	return slices.Concat(checkRanges(in), checkPorts(in), checkDirs(in))
}

func failure(subject, problem, fix string) []Finding {
	return []Finding{{Error, subject, problem, fix}}
}

func warning(subject, problem, fix string) []Finding {
	return []Finding{{Warning, subject, problem, fix}}
}

// at names a file together with the flag that points to it.
func (f File) at() string {
	if f.Flag == "" {
		return f.Path
	}
	return f.Path + " (" + f.Flag + ")"
}

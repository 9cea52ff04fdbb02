// SPDX-License-Identifier: Apache-2.0

// Package preflight checks whether a control plane would run here, before
// anything is written or served. Every finding names the file or flag and the
// fix; all of them are returned at once; nothing is changed.
package preflight

import (
	"context"
	"slices"
	"time"

	"github.com/khw-controller/khw-controller/pkg/plan"
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

// IsError reports whether the finding stops the start.
func (f Finding) IsError() bool { return f.Severity == Error }

// Options say how a plan is checked.
type Options struct {
	// Now is the time by which certificates are judged.
	Now time.Time
	// BeforeRun tells that run comes later: a port that systemd listens on may be
	// one that it hands over then.
	BeforeRun bool
}

// input is what is checked.
type input struct {
	*plan.Plan
	Options
}

// externalEtcd lists the etcd members that are not ours.
func (in input) externalEtcd() []string {
	if in.Etcd != nil {
		return nil
	}
	return in.EtcdAccess.Endpoints
}

// Check makes every check of what p says, in a fixed order.
func Check(ctx context.Context, p *plan.Plan, o Options) []Finding {
	return input{p, o}.check(ctx)
}

func (in input) check(ctx context.Context) []Finding {
	all := checkAccess(in)
	if len(all) > 0 {
		// What cannot be read is not evaluated.
		return append(all, checkElsewhere(in)...)
	}
	if held := checkLock(in); len(held) > 0 {
		// Its ports are taken and its directories in use: one finding says it all,
		// but for what keeps it from working.
		return append(held, checkWebhooks(ctx, in)...)
	}
	all = append(all, checkFiles(ctx, in)...)
	if !slices.ContainsFunc(all, Finding.IsError) {
		// The components would only say of the same files what has been said.
		all = append(all, checkComponents(ctx, in)...)
	}
	return append(all, checkElsewhere(in)...)
}

// checkFiles makes the checks of the lab's files, and of the etcd that they are
// for, or of making them.
func checkFiles(ctx context.Context, in input) []Finding {
	if in.Fresh() {
		return checkGenerate(in)
	}
	if missing := checkRequired(in); len(missing) > 0 {
		return missing
	}
	return slices.Concat(checkCertificates(in), checkServiceAccount(in), checkKubeconfigs(in), checkEncryption(in), checkEtcd(ctx, in))
}

// checkElsewhere makes the checks that need none of the lab's files.
func checkElsewhere(in input) []Finding {
	return slices.Concat(checkRanges(in), checkPorts(in), checkDirs(in))
}

func failure(subject, problem, fix string) []Finding {
	return []Finding{{Error, subject, problem, fix}}
}

func warning(subject, problem, fix string) []Finding {
	return []Finding{{Warning, subject, problem, fix}}
}

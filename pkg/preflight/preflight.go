// SPDX-License-Identifier: Apache-2.0

// Package preflight checks whether a control plane would run here, before
// anything is written or served. Every finding names the file or flag and the
// fix; all of them are returned at once; nothing is changed.
package preflight

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// Severity says whether a finding stops the start.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	// Wait is for what may come by itself: an etcd that does not answer yet, an address
	// that the machine does not have yet, a clock that is not set. run waits for it.
	Wait Severity = "wait"
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

// IsWait reports whether the start waits for it.
func (f Finding) IsWait() bool { return f.Severity == Wait }

// NoAddress is the finding where no plan can be made because the machine has no
// address to advertise yet (address.ErrNotFound).
func NoAddress(err error) Finding {
	return Finding{Wait, "--advertise-address", oneLine(err.Error()), "bring up the network, or set the flag"}
}

// Options say how a plan is checked.
type Options struct {
	// Now is the time by which certificates are judged.
	Now time.Time
	// BeforeRun tells that run comes later: a port that systemd listens on may be
	// one that it hands over then.
	BeforeRun bool
	// InsteadOf are systemd services, without their suffix, that will be stopped before
	// run is started: a port that one of them has is free then.
	InsteadOf []string
}

// input is what is checked.
type input struct {
	*plan.Plan
	Options
	// clockBehind tells that Now is not what the clock says, but when all certificates
	// are valid.
	clockBehind bool
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
	return input{Plan: p, Options: o}.check(ctx)
}

// Recheck makes those checks again whose findings may be mended by waiting, in a
// start that waits: the lock is its own by then, and so is the port for health
// checks.
func Recheck(ctx context.Context, p *plan.Plan, o Options) []Finding {
	in := input{Plan: p, Options: o}
	return slices.Concat(checkFiles(in, etcdOf(ctx)), checkPorts(in, func(l plan.Listener) bool { return l.Flag != plan.HealthzFlag }))
}

// CheckFiles makes the checks of the files alone, as a start does: whether one would
// be refused for what is in them now. It asks nobody but the components
// themselves, in a child process.
func CheckFiles(ctx context.Context, p *plan.Plan, o Options) []Finding {
	in := input{Plan: p, Options: o}
	if all := checkAccess(in); len(all) > 0 {
		return all
	}
	return in.withComponents(ctx, checkFiles(in))
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
		return slices.Concat(held, checkWebhooks(ctx, in), checkStored(ctx, in))
	}
	if interrupted := checkInterrupted(in); len(interrupted) > 0 {
		return append(interrupted, checkElsewhere(in)...)
	}
	all = append(all, checkFiles(in, othersOf(ctx))...)
	return append(in.withComponents(ctx, all), checkElsewhere(in)...)
}

// withComponents adds what the components themselves find, where nothing else
// would stop them: they would only say of the same files what has been said.
func (in input) withComponents(ctx context.Context, found []Finding) []Finding {
	if slices.ContainsFunc(found, Finding.IsError) {
		return found
	}
	return append(found, checkComponents(ctx, in)...)
}

// etcdOf makes the checks of the etcd that the lab's files are for.
func etcdOf(ctx context.Context) func(input) []Finding {
	return func(in input) []Finding { return slices.Concat(checkEtcd(ctx, in), checkStored(ctx, in)) }
}

// othersOf makes the checks of that etcd and of the other controllers, who are asked
// meanwhile: one that is away would cost a start its patience.
func othersOf(ctx context.Context) func(input) []Finding {
	return func(in input) []Finding {
		var skewed []Finding
		var asking sync.WaitGroup
		asking.Go(func() { skewed = checkSkew(ctx, in) })
		found := etcdOf(ctx)(in)
		asking.Wait()
		return append(found, skewed...)
	}
}

// checkFiles makes the checks of the lab's files, and where all of them are there,
// those of what they are for; or the checks of making them.
func checkFiles(in input, then ...func(input) []Finding) []Finding {
	if in.Fresh() {
		return checkGenerate(in)
	}
	if missing := checkRequired(in); len(missing) > 0 {
		return missing
	}
	in, clock := in.atLaterClock()
	found := slices.Concat(clock, checkCertificates(in), checkServiceAccount(in), checkKubeconfigs(in), checkEncryption(in))
	for _, check := range then {
		found = append(found, check(in)...)
	}
	return found
}

// checkElsewhere makes the checks that need none of the lab's files.
func checkElsewhere(in input) []Finding {
	return slices.Concat(checkLimits(), checkControllers(in), checkEtcdData(in), checkRanges(in), checkAdvertised(in),
		checkPorts(in, func(plan.Listener) bool { return true }), checkDirs(in))
}

func failure(subject, problem, fix string) []Finding {
	return []Finding{{Error, subject, problem, fix}}
}

func warning(subject, problem, fix string) []Finding {
	return []Finding{{Warning, subject, problem, fix}}
}

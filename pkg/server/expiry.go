// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	restclient "k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/certs"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/status"
)

const (
	// expiryEvery is how often the certificates are looked at.
	expiryEvery = time.Minute
	// recordAgain is the pause before an event is tried again.
	recordAgain = 5 * time.Second
	// tellEvery is how often it is said of one that it expires soon.
	tellEvery = 24 * time.Hour
	// retryRenewal is the pause after a renewal that failed.
	retryRenewal = time.Hour
)

// expiry says, once a day and for each certificate in force, that it expires soon:
// in the log, and in an Event on the namespace kube-system. Where that is wanted, it
// renews what was made here before it comes to that.
type expiry struct {
	plan   *plan.Plan
	record func(ctx context.Context, text string) error // an event
	// logged and recorded are when that was done last, by what was said of whom.
	logged, recorded map[string]time.Time
	// failed is why the last renewal failed, or empty, and when that was logged; retry
	// is when the next one is tried.
	failed          string
	failedAt, retry time.Time
}

func newExpiry(p *plan.Plan, node string, client func() (*restclient.Config, error)) *expiry {
	record := func(ctx context.Context, text string) error {
		return recordWarning(ctx, client, node, "CertificateExpires", text)
	}
	return &expiry{plan: p, record: record, logged: map[string]time.Time{}, recorded: map[string]time.Time{}}
}

// run looks at the certificates until ctx ends.
func (e *expiry) run(ctx context.Context) {
	for {
		pause := expiryEvery
		if !e.look(ctx, time.Now()) {
			pause = recordAgain
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// look renews what is due and tells of what expires. It reports whether all was
// told: an event that cannot be kept, because nothing serves yet, is for the next
// time.
func (e *expiry) look(ctx context.Context, now time.Time) (told bool) {
	if e.plan.Config.AutoRenewCertificates && !now.Before(e.retry) {
		e.renew(now)
	}
	told = true
	for _, c := range certificates(e.plan) {
		text, end := c.Expiry(now)
		if end == status.ExpiresLater {
			continue
		}
		if now.Sub(e.logged[c.Path]) >= tellEvery {
			e.logged[c.Path] = now
			klog.ErrorS(nil, "A certificate expires soon, or has; see khw-controller certs renew", "what", text, "subject", c.Subject)
		}
		if now.Sub(e.recorded[c.Path]) < tellEvery {
			continue
		}
		if e.record(ctx, text) != nil {
			told = false
			continue
		}
		e.recorded[c.Path] = now
	}
	return told
}

// renew renews what is due.
func (e *expiry) renew(now time.Time) {
	r, err := certs.RenewDue(e.plan, now)
	if err == nil {
		err = r.Write(now)
	}
	if err != nil {
		e.fail(err.Error(), now)
		return
	}
	for _, x := range r.Renewals {
		klog.InfoS("Renewed a certificate", "file", x.Path, "until", x.NotAfter.UTC().Format(time.DateOnly), "needsRestart", x.Takeover == plan.Restart)
	}
	if len(r.Left) > 0 {
		e.fail(r.Left[0].Error(), now)
	}
}

// fail logs why there was no renewal, once a day and whenever it is for another
// reason.
func (e *expiry) fail(why string, now time.Time) {
	e.retry = now.Add(retryRenewal)
	if why == e.failed && now.Sub(e.failedAt) < tellEvery {
		return
	}
	e.failed, e.failedAt = why, now
	klog.ErrorS(nil, "A certificate was not renewed", "reason", why)
}

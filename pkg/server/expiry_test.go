// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// watched is an expiry of a plan whose files were just made, and the events that it
// records; with fails, it cannot.
func watched(t *testing.T, auto bool) (e *expiry, p *plan.Plan, events *[]string, fails *bool) {
	t.Helper()
	p, err := plan.New(t.Context(), &config.Config{
		Root: t.TempDir(), AdvertiseAddress: "192.0.2.10", AutoRenewCertificates: auto, Args: map[lab.Component][]lab.Override{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := p.GenerateMissing(); err != nil {
		t.Fatal(err)
	}
	events, fails = &[]string{}, new(bool)
	e = newExpiry(p, "controller-0", nil)
	e.record = func(_ context.Context, text string) error {
		if *fails {
			return errors.New("nothing serves yet")
		}
		*events = append(*events, text)
		return nil
	}
	return e, p, events, fails
}

const day = 24 * time.Hour

func TestExpiryIsToldOnceADay(t *testing.T) {
	e, _, events, fails := watched(t, false)
	now := time.Now()
	count := func(at time.Duration) int {
		*events = nil
		e.look(t.Context(), now.Add(at))
		return len(*events)
	}
	if n := count(334 * day); n != 0 {
		t.Errorf("31 days before, there are %d events", n)
	}
	*fails = true
	if e.look(t.Context(), now.Add(336*day)) || len(*events) != 0 {
		t.Errorf("it says that all was told, with the events %q", *events)
	}
	*fails = false
	if n := count(336*day + time.Minute); n != 4 || !strings.Contains((*events)[0], "expires in 28d") {
		t.Errorf("29 days before, there are the events %q", *events)
	}
	if n := count(336*day + 2*time.Minute); n != 0 {
		t.Errorf("a minute later, there are %d more", n)
	}
	if n := count(337*day + 2*time.Minute); n != 4 {
		t.Errorf("a day later, there are %d more", n)
	}
	if n := count(366 * day); n != 4 || !strings.Contains((*events)[0], "has expired") {
		t.Errorf("when they have expired, there are the events %q", *events)
	}
}

// TestAutoRenew renews at two thirds of a life what was made here, and nothing of
// an operator's.
func TestAutoRenew(t *testing.T) {
	e, p, events, _ := watched(t, true)
	data, err := os.ReadFile(p.Files.AdminKubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	// It is the operator's now.
	if err := os.WriteFile(p.Files.AdminKubeconfig, append(data, "# mine\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	expiries := func() map[string]time.Time {
		all := map[string]time.Time{}
		for _, c := range certificates(p) {
			all[filepath.Base(c.Path)] = c.NotAfter
		}
		return all
	}
	before := expiries()
	now := time.Now()
	e.look(t.Context(), now.Add(240*day))
	if after := expiries(); after["kubernetes.pem"] != before["kubernetes.pem"] {
		t.Error("it was renewed before two thirds of its life")
	}
	e.look(t.Context(), now.Add(245*day))
	after := expiries()
	for name, was := range before {
		want := name != "ca.pem" && name != "admin.kubeconfig"
		if renewed := after[name].Sub(was) > 240*day; renewed != want {
			t.Errorf("%s: renewed %v, want %v", name, renewed, want)
		}
	}
	// And again, two thirds later; the operator's is told of.
	e.look(t.Context(), now.Add(490*day))
	if again := expiries(); again["kubernetes.pem"].Sub(after["kubernetes.pem"]) < 240*day {
		t.Error("it was renewed once only")
	}
	if len(*events) != 1 || !strings.Contains((*events)[0], "admin.kubeconfig has expired") {
		t.Errorf("the events are %q", *events)
	}
}

func TestAutoRenewIsOffByDefault(t *testing.T) {
	e, p, _, _ := watched(t, false)
	before := certificates(p)
	e.look(t.Context(), time.Now().Add(360*day))
	if after := certificates(p); after[0] != before[0] {
		t.Errorf("%+v became %+v", before[0], after[0])
	}
}

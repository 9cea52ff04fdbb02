// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/drift"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// copyTo writes what a file holds over another.
func copyTo(t *testing.T, to, from string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// looked looks at the files, as a report does.
func looked(t *testing.T, w *fileWatch) *status.Report {
	t.Helper()
	r := &status.Report{At: time.Now()}
	w.look(t.Context(), r, time.Minute)
	return r
}

func TestAnotherCAInPlaceIsToldAsThat(t *testing.T) {
	p, _, _ := observed(t, config.Config{})
	others, _, _ := observed(t, config.Config{})
	plans := 0
	w := newFileWatch(p, func() (*plan.Plan, error) { plans++; return plan.New(context.Background(), p.Config) })
	if r := looked(t, w); len(r.Files) > 0 || len(r.NextStart) > 0 || plans > 0 {
		t.Errorf("at the start: %+v, %+v, checked %d times", r.Files, r.NextStart, plans)
	}
	own, err := os.ReadFile(p.Path(paths.CA))
	if err != nil {
		t.Fatal(err)
	}
	copyTo(t, p.Path(paths.CA), others.Path(paths.CA))
	for range 3 {
		r := looked(t, w)
		if len(r.Files) != 1 || r.Files[0].Path != p.Path(paths.CA) || r.Files[0].Reload != drift.AtRestart {
			t.Fatalf("got %+v", r.Files)
		}
		want := "[etcd (trusted-ca-file) etcd (peer-trusted-ca-file) kube-apiserver (etcd-cafile) kube-controller-manager (root-ca-file)]"
		if got := fmt.Sprint(r.Files[0].Users); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for says, refused := range map[string]bool{
			p.Path(paths.Cert) + ": is not signed by " + p.Path(paths.CA):                         false, // the kubeconfigs trust it
			p.Path(paths.CAKey) + ": is not the key of the certificate " + p.Path(paths.CA) + ";": true,
		} {
			if !slices.ContainsFunc(r.NextStart, func(f status.Foreseen) bool { return f.Refused == refused && strings.HasPrefix(f.Finding, says) }) {
				t.Errorf("the next start: %+v, want %q, refused: %v", r.NextStart, says, refused)
			}
		}
	}
	if plans != 1 {
		t.Errorf("it was checked %d times, want once for what the files hold", plans)
	}
	if err := os.WriteFile(p.Path(paths.CA), own, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := looked(t, w); len(r.Files) > 0 || len(r.NextStart) > 0 {
		t.Errorf("put back: %+v, %+v", r.Files, r.NextStart)
	}
}

func TestAComponentThatStartsAgainHasReadItsFiles(t *testing.T) {
	p, _, _ := observed(t, config.Config{})
	others, _, _ := observed(t, config.Config{})
	w := newFileWatch(p, func() (*plan.Plan, error) { return plan.New(context.Background(), p.Config) })
	copyTo(t, p.Path(paths.ControllerManagerKubeconfig), others.Path(paths.ControllerManagerKubeconfig))
	copyTo(t, p.Path(paths.ServiceAccountKey), others.Path(paths.ServiceAccountKey))
	event := func(c lab.Component, before, after supervisor.State) {
		w.onEvent(supervisor.Event{Status: supervisor.Status{Component: string(c), State: after}, Before: supervisor.Status{State: before}})
	}
	for _, step := range []struct {
		event func()
		users string // of both files
	}{
		{func() {}, "kube-apiserver (service-account-signing-key-file) kube-controller-manager (service-account-private-key-file) kube-controller-manager (kubeconfig)"},
		{func() { event(lab.ControllerManager, supervisor.Leading, supervisor.Starting) }, "kube-apiserver (service-account-signing-key-file) kube-controller-manager (service-account-private-key-file) kube-controller-manager (kubeconfig)"},
		{func() { event(lab.ControllerManager, supervisor.Restarting, supervisor.Starting) }, "kube-apiserver (service-account-signing-key-file) kube-controller-manager (service-account-private-key-file)"},
		{func() { event(lab.ControllerManager, supervisor.Standby, supervisor.Leading) }, "kube-apiserver (service-account-signing-key-file)"},
		{func() { event(lab.APIServer, supervisor.Waiting, supervisor.Starting) }, ""},
	} {
		step.event()
		said := map[string]bool{}
		for _, f := range looked(t, w).Files {
			for _, u := range f.Users {
				said[u] = true
			}
		}
		for _, want := range []string{"kube-apiserver (service-account-signing-key-file)", "kube-controller-manager (service-account-private-key-file)", "kube-controller-manager (kubeconfig)"} {
			if said[want] != strings.Contains(step.users, want) {
				t.Errorf("%s: %v, want %q", want, said, step.users)
			}
		}
	}
}

func TestTheConfigFileIsReloaded(t *testing.T) {
	p, _, _ := observed(t, config.Config{})
	w := newFileWatch(p, func() (*plan.Plan, error) { return nil, errors.New("line 1: no such key") })
	if err := os.MkdirAll(filepath.Dir(p.Path(paths.Config)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Path(paths.Config), []byte("v: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := looked(t, w)
	if len(r.Files) != 1 || r.Files[0].State != drift.Added || r.Files[0].Reload != drift.OnHangup {
		t.Errorf("got %+v", r.Files)
	}
	if len(r.NextStart) != 1 || r.NextStart[0] != (status.Foreseen{Refused: true, Finding: "line 1: no such key"}) {
		t.Errorf("the next start: %+v", r.NextStart)
	}
	w.onReload([]string{"shutdown-delay"})
	if r := looked(t, w); len(r.Files) > 0 || len(r.NeedRestart) != 1 {
		t.Errorf("reloaded: %+v, %q", r.Files, r.NeedRestart)
	}
}

// TestAReportDoesNotWaitForTheChecks has the checks take long.
func TestAReportDoesNotWaitForTheChecks(t *testing.T) {
	p, _, _ := observed(t, config.Config{})
	letGo := make(chan struct{})
	w := newFileWatch(p, func() (*plan.Plan, error) { <-letGo; return nil, errors.New("no") })
	if err := os.Remove(p.Path(paths.Cert)); err != nil {
		t.Fatal(err)
	}
	r := &status.Report{At: time.Now()}
	w.look(t.Context(), r, time.Millisecond)
	if len(r.NextStart) > 0 || len(r.Late) != 1 || r.Late[0].Of != status.NextStart || len(r.Files) != 1 || r.Files[0].State != drift.Gone {
		t.Errorf("got %+v, %+v, %+v", r.Files, r.Late, r.NextStart)
	}
	close(letGo)
	if r := looked(t, w); len(r.NextStart) != 1 || len(r.Late) > 0 {
		t.Errorf("got %+v, %+v", r.Late, r.NextStart)
	}
}

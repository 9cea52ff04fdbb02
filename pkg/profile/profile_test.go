// SPDX-License-Identifier: Apache-2.0

package profile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

func TestParse(t *testing.T) {
	for list, want := range map[string][]string{"": nil, "edge": {"edge"}, "edge , edge,": {"edge"}, "edge,cis": {"edge", "cis"}} {
		if got, err := Parse(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", list, got, err, want)
		}
	}
	if _, err := Parse("edge,egde"); err == nil || !strings.Contains(err.Error(), `no profile "egde"; want edge or cis`) {
		t.Errorf("got %v", err)
	}
}

func TestRequestsInFlight(t *testing.T) {
	for f, want := range map[Facts]int{
		{CPUs: 1, Memory: 1 << 30}: 40, {CPUs: 1}: 40, {CPUs: 2, Memory: 1 << 30}: 80, {CPUs: 16, Memory: 1 << 30}: 256,
		{CPUs: 4, Memory: 8 << 30}: 160, {CPUs: 64, Memory: 8 << 30}: 400, {CPUs: 4, Memory: 100 << 20}: 40, {}: 40,
	} {
		if got := inFlight(f); got != want {
			t.Errorf("%+v: %d, want %d", f, got, want)
		}
	}
}

// TestEdgeHangsTogether wants timings that a leader cannot outlive.
func TestEdgeHangsTogether(t *testing.T) {
	for _, c := range []lab.Component{lab.ControllerManager, lab.Scheduler} {
		of := map[string]time.Duration{}
		for _, o := range Overrides([]string{"edge"}, Facts{}, c) {
			if o.Source != "profile edge" || !IsSource(o.Source) {
				t.Errorf("the source of %s is %q", o, o.Source)
			}
			of[o.Name], _ = time.ParseDuration(o.Value)
		}
		lease, renew, retry := of["leader-elect-lease-duration"], of["leader-elect-renew-deadline"], of["leader-elect-retry-period"]
		if lease != EdgeLease || lease <= renew+retry || renew < 3*retry || lease <= StockLease {
			t.Errorf("%s: %v", c, of)
		}
	}
	if got := Overrides([]string{"edge"}, Facts{}, Etcd); len(got) > 0 {
		t.Errorf("a member that is alone is given %v", got)
	}
	if got := Overrides([]string{"edge"}, Facts{Cluster: true}, Etcd); len(got) != 2 {
		t.Errorf("one of several is given %v", got)
	}
	if got := Overrides(nil, Facts{}, lab.APIServer); got != nil {
		t.Errorf("without a profile: %v", got)
	}
}

func TestFilesAreWhereTheFlagsPointTo(t *testing.T) {
	set := map[string]string{}
	for _, o := range Overrides([]string{CIS}, Facts{Root: "/r"}, lab.APIServer) {
		set[o.Name] = o.Value
		if !o.Yields {
			t.Errorf("%s does not yield to the user", o)
		}
	}
	files := Files([]string{CIS, Edge})
	for _, f := range files {
		if f.Of != lab.APIServer || set[f.Flag] != f.Path.Below("/r") || len(f.Data) == 0 {
			t.Errorf("--%s=%s, and the file is %s with %d bytes", f.Flag, set[f.Flag], f.Path, len(f.Data))
		}
	}
	if len(files) != 2 || len(Files([]string{Edge})) > 0 || len(Files(nil)) > 0 {
		t.Errorf("%d files of cis, %d of edge", len(files), len(Files([]string{Edge})))
	}
}

// TestPluginsAreTheLabsAndMore wants none of the lab's to be lost.
func TestPluginsAreTheLabsAndMore(t *testing.T) {
	for _, o := range Overrides([]string{CIS}, Facts{}, lab.APIServer) {
		if o.Name == "enable-admission-plugins" && o.Value != lab.Value(lab.APIServer, o.Name)+",DenyServiceExternalIPs,EventRateLimit" {
			t.Errorf("the plugins are %s", o.Value)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/khw-controller/khw-controller/internal/golden"
	"github.com/khw-controller/khw-controller/pkg/lb"
	"github.com/khw-controller/khw-controller/test/computeapi"
)

const network = "kubernetes-the-hard-way"

// lab is a project in which the lab's chapters before the eighth were done.
type lab struct {
	*testing.T
	*computeapi.Server
	cfg Config
}

// newLab starts one, with a controller in each zone.
func newLab(t *testing.T, kind string) *lab {
	t.Helper()
	s := computeapi.Start(t, "hard-way")
	s.AddNetwork(network)
	s.AddAddress("us-west1", "kubernetes-the-hard-way", "203.0.113.80")
	s.AddFirewall("kubernetes-the-hard-way-allow-external", map[string]any{
		"network": s.Link("global/networks/" + network), "sourceRanges": []any{"0.0.0.0/0"},
		"allowed": []any{map[string]any{"IPProtocol": "tcp", "ports": []any{"22", "6443"}}, map[string]any{"IPProtocol": "icmp"}},
	})
	for i, zone := range []string{"us-west1-a", "us-west1-b", "us-west1-c"} {
		s.AddInstance(zone, fmt.Sprintf("controller-%d", i), network, "RUNNING")
	}
	cfg := Default()
	cfg.Type, cfg.Project, cfg.Region, cfg.Endpoint = kind, "hard-way", "us-west1", s.Endpoint
	return &lab{T: t, Server: s, cfg: cfg}
}

// start has somebody else begin an operation, and not wait for its end.
func (l *lab) start(method, path, body string) {
	l.Helper()
	req, err := http.NewRequestWithContext(l.Context(), method, l.Endpoint+"projects/hard-way/"+path, strings.NewReader(body))
	if err != nil {
		l.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		l.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		l.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}

// hasty is a pace for a server that answers at once.
func hasty() pace {
	return pace{
		request:  20 * time.Second,
		retry:    wait.Backoff{Duration: time.Microsecond, Factor: 2, Steps: 3},
		poll:     wait.Backoff{Duration: time.Microsecond, Factor: 1, Steps: 100},
		busy:     time.Microsecond,
		patience: 20 * time.Second,
	}
}

func (l *lab) open(p pace) (*Cloud, error) {
	l.Helper()
	api, err := newClient(l.Context(), l.cfg)
	if err != nil {
		l.Fatal(err)
	}
	api.pace = p
	return newCloud(l.Context(), l.cfg, api)
}

// plan reads what is there.
func (l *lab) plan(p pace) (*lb.Plan, error) {
	l.Helper()
	cloud, err := l.open(p)
	if err != nil {
		return nil, err
	}
	return lb.NewPlan(l.Context(), cloud)
}

// converge is what `khw-controller lb` does.
func (l *lab) converge(p pace) error {
	l.Helper()
	plan, err := l.plan(p)
	if err != nil {
		return err
	}
	return plan.Apply(l.Context(), func(lb.Step) {})
}

// complete converges, and fails the test if that fails.
func (l *lab) complete() {
	l.Helper()
	if err := l.converge(hasty()); err != nil {
		l.Fatal(err)
	}
}

// deletion plans one.
func (l *lab) deletion() *lb.Plan {
	l.Helper()
	cloud, err := l.open(hasty())
	if err != nil {
		l.Fatal(err)
	}
	plan, err := lb.NewDeletion(l.Context(), cloud)
	if err != nil {
		l.Fatal(err)
	}
	return plan
}

// converged fails the test unless there is nothing to do, and nothing is done.
func (l *lab) converged() {
	l.Helper()
	l.Forget()
	plan, err := l.plan(hasty())
	if err != nil {
		l.Fatal(err)
	}
	if err := plan.Apply(l.Context(), func(lb.Step) {}); err != nil || plan.Pending() > 0 || len(l.Changes()) > 0 {
		l.Errorf("another run changes %v (%v):\n%s", l.Changes(), err, text(plan))
	}
}

func text(p *lb.Plan) string {
	var b strings.Builder
	p.WriteText(&b)
	return b.String()
}

// equal holds sections, each under its name, against a golden file.
func equal(t *testing.T, file string, sections map[string]string) {
	t.Helper()
	var got bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		fmt.Fprintf(&got, "# %s\n%s\n\n", name, strings.TrimSpace(sections[name]))
	}
	golden.Equal(t, file, got.Bytes())
}

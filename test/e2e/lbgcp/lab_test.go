// SPDX-License-Identifier: Apache-2.0

package lbgcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/test/computeapi"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

const (
	project = "hard-way"
	network = "kubernetes-the-hard-way"
	region  = "regions/us-west1/"
)

// zones are those of controller-0 to -2.
var zones = []string{"us-west1-a", "us-west1-b", "us-west1-c"}

func controller(i int) string { return fmt.Sprintf("controller-%d", i) }

// lab is a project and the program under test.
type lab struct {
	*harness.Env
	*computeapi.Server
}

// newLab starts the service and does what the lab's earlier chapters do.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{Env: harness.New(t), Server: computeapi.Start(t, project)}
	l.AddNetwork(network)
	l.AddAddress("us-west1", "kubernetes-the-hard-way", "203.0.113.80")
	l.AddFirewall("kubernetes-the-hard-way-allow-external", map[string]any{
		"network": l.Link("global/networks/" + network), "sourceRanges": []any{"0.0.0.0/0"},
		"allowed": []any{map[string]any{"IPProtocol": "tcp", "ports": []any{"22", "6443"}}, map[string]any{"IPProtocol": "icmp"}},
	})
	for i, zone := range zones {
		l.AddInstance(zone, controller(i), network, "RUNNING")
	}
	return l
}

// result is what one run did.
type result struct {
	code     int
	out, err string
}

// run runs `khw-controller lb --cloud gcp` and returns when it has ended.
func (l *lab) run(args ...string) result {
	l.Helper()
	r, err := l.onADesk(l.Context(), args...)
	l.Must(err)
	return r
}

// onADesk runs it where the environment says which project and region is meant.
func (l *lab) onADesk(ctx context.Context, args ...string) (result, error) {
	return l.command(ctx, []string{"GOOGLE_CLOUD_PROJECT=" + project, "CLOUDSDK_COMPUTE_REGION=us-west1"}, append([]string{"--cloud", "gcp"}, args...)...)
}

// command runs it with more in the environment, and without what gcloud is
// configured with on this machine.
func (l *lab) command(ctx context.Context, env []string, args ...string) (result, error) {
	all := append(os.Environ(), "CLOUDSDK_CONFIG="+l.Path("gcloud"), "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE="+l.Endpoint)
	return l.start(ctx, append(all, env...), append([]string{"lb"}, args...)...)
}

func (l *lab) start(ctx context.Context, env []string, args ...string) (result, error) {
	cmd := exec.CommandContext(ctx, l.Binary(), args...)
	cmd.Env = env
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = nil
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}, err
}

// want fails the test unless a run ended with the code and said all of this, in
// either stream.
func (l *lab) want(r result, code int, says ...string) {
	l.Helper()
	if r.code != code {
		l.Fatalf("exit code %d, want %d\n%s%s", r.code, code, r.out, r.err)
	}
	for _, s := range says {
		if !strings.Contains(r.out+r.err, s) {
			l.Errorf("it does not say %q:\n%s%s", s, r.out, r.err)
		}
	}
}

// changes fails the test unless exactly these methods were called to change
// something since the last look.
func (l *lab) changes(methods ...string) {
	l.Helper()
	got := strings.ReplaceAll(strings.Join(l.Changes(), " "), "compute.", "")
	if want := strings.Join(methods, " "); got != want {
		l.Errorf("it called %q, want %q", got, want)
	}
	l.Forget()
}

// healthy has all controllers answer their health checks well.
func (l *lab) healthy() {
	for i, zone := range zones {
		l.SetHealth(zone, controller(i), "HEALTHY")
	}
}

// asTheLab holds the resources against what the lab's gcloud commands make.
func (l *lab) asTheLab() {
	l.Helper()
	for path, fields := range map[string]map[string]any{
		"global/httpHealthChecks/kubernetes": {
			"host": "kubernetes.default.svc.cluster.local", "requestPath": "/healthz", "port": 80,
			"checkIntervalSec": 5, "timeoutSec": 5, "healthyThreshold": 2, "unhealthyThreshold": 2,
		},
		"global/firewalls/kubernetes-the-hard-way-allow-health-check": {
			"network":      l.Link("global/networks/" + network),
			"direction":    "INGRESS",
			"sourceRanges": []any{"209.85.152.0/22", "209.85.204.0/22", "35.191.0.0/16"},
			"allowed":      []any{map[string]any{"IPProtocol": "tcp"}},
			"priority":     1000,
		},
		region + "targetPools/kubernetes-target-pool": {
			"healthChecks": []any{l.Link("global/httpHealthChecks/kubernetes")},
			"instances": []any{
				l.Link("zones/us-west1-a/instances/controller-0"),
				l.Link("zones/us-west1-b/instances/controller-1"),
				l.Link("zones/us-west1-c/instances/controller-2"),
			},
		},
		region + "forwardingRules/kubernetes-forwarding-rule": {
			"IPAddress": "203.0.113.80", "IPProtocol": "TCP", "portRange": "6443-6443", "loadBalancingScheme": "EXTERNAL",
			"target": l.Link(region + "targetPools/kubernetes-target-pool"),
		},
	} {
		got := l.Resource(path)
		for name, want := range fields {
			if fmt.Sprint(got[name]) != fmt.Sprint(want) {
				l.Errorf("%s: %s is %v, want %v", path, name, got[name], want)
			}
		}
	}
}

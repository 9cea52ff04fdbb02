// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	report "github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
)

// answersWithin is what status promises. The machine of a test may be busy with
// others, so what is wanted is that most answers keep it, and the worst one is far
// from a client's time-outs.
const (
	answersWithin = time.Second
	worstAnswer   = 3 * time.Second
)

// timed asks for the status n times in a row, and wants it in time.
func timed(c *harness.Controller, when string, n int, check func(code int, r report.Report)) {
	c.Helper()
	var took []time.Duration
	for range n {
		begun := time.Now()
		code, r := reported(c)
		took = append(took, time.Since(begun))
		check(code, r)
	}
	slices.Sort(took)
	c.Logf("%s, status takes %s", when, took)
	if median := took[n/2]; median > answersWithin {
		c.Errorf("%s, status takes %s, want %s", when, median, answersWithin)
	}
	if worst := took[n-1]; worst > worstAnswer {
		c.Errorf("%s, status takes %s at worst", when, worst)
	}
}

func TestStatusInTrouble(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.GeneratePKI()
	etcd := e.StartEtcd(c.Lab(""), 3)
	c.EtcdServers = etcd.URLs()
	c.StartReady()
	awaitCode(c, 0, "is ready")

	duringAFlood(c)
	awaitCode(c, 0, "is ready")

	for _, p := range etcd.Processes[1:] {
		e.Must(p.Signal(syscall.SIGSTOP))
	}
	// The apiserver may be asked from the first second on, and status never waits
	// for it, nor says that nobody runs.
	timed(c, "without a quorum", 15, func(code int, r report.Report) {
		if r.Status == report.Down || r.Status == report.NoAnswer || code == 2 || len(r.Components) == 0 {
			t.Errorf("without a quorum it is %q, exit code %d", r.Status, code)
		}
	})
	awaitCode(c, 1, "does not answer in time")
	awaitCode(c, 1, "knows no leader")
	awaitCode(c, 1, "who leads is not known; its lease cannot be read")
	awaitCode(c, 1, "problem: health checks at 127.0.0.1:")
	c.AwaitStatus("load balancers send nobody here")
	for _, p := range etcd.Processes[1:] {
		e.Must(p.Signal(syscall.SIGCONT))
	}
	awaitCode(c, 0, "is ready")
	c.AwaitStatus("ready: ")

	e.Must(c.Process.Signal(syscall.SIGSTOP))
	awaitCode(c, 2, fmt.Sprintf("process %d is paused", c.Process.PID()))
	e.Must(c.Process.Signal(syscall.SIGCONT))
	awaitCode(c, 0, "is ready")
}

// duringAFlood wants nobody to be called dead while the apiserver has more to do
// than it can.
func duringAFlood(c *harness.Controller) {
	c.Helper()
	ctx, cancel := context.WithCancel(c.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	client := c.Client()
	for range 60 {
		wg.Go(func() {
			for ctx.Err() == nil {
				// That many are refused, which is the point.
				_, _ = client.RESTClient().Get().AbsPath("/api/v1/configmaps").DoRaw(ctx)
			}
		})
	}
	timed(c, "in a flood of requests", 15, func(_ int, r report.Report) {
		for _, p := range r.Problems {
			if strings.Contains(p, "no member answers") || strings.Contains(p, "nobody listens") {
				c.Errorf("in a flood, it says: %s", p)
			}
		}
		if r.Status == report.Down {
			c.Errorf("in a flood, it is %s", r.Status)
		}
	})
}

// webhook is one which fails what it cannot be asked about within so many seconds.
const webhook = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: refuse-all
webhooks:
- name: all.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: %d
  clientConfig: %s
  rules:
  - %s
`

// What a webhook is called for.
const (
	everything = `{apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*/*"]}`
	newRoles   = `{apiGroups: [rbac.authorization.k8s.io], apiVersions: ["*"], operations: [CREATE], resources: [clusterroles]}`
)

// What status and check say of it.
const (
	refusal = `admission webhook "all.example.com" refuses the leases, so that no controller of the cluster can lead`
	wayOut  = "khw-controller kubectl delete validatingwebhookconfiguration/refuse-all"
)

// shortLeases has a controller that loses the scheduler's lease soon.
func shortLeases(e *harness.Env) *harness.Controller {
	e.Helper()
	c := e.Controller("controller", e.FreePorts())
	c.Args = []string{
		"--kube-scheduler-arg", "leader-elect-lease-duration=6s", "--kube-scheduler-arg", "leader-elect-renew-deadline=4s", "--kube-scheduler-arg", "leader-elect-retry-period=1s",
	}
	c.StartReady()
	c.AwaitStatus("kube-scheduler leading")
	awaitCode(c, 0, "is ready")
	return c
}

// configure adds a webhook.
func configure(c *harness.Controller, seconds int, clientConfig, rule string) {
	c.Helper()
	path := c.Path("webhook.yaml")
	c.Must(os.WriteFile(path, fmt.Appendf(nil, webhook, seconds, clientConfig, rule), 0o600))
	c.Kubectl("create", "-f", path)
}

func TestAWebhookThatRefusesTheLeases(t *testing.T) {
	c := shortLeases(harness.New(t))
	configure(c, 1, "{service: {namespace: default, name: gone}}", everything)
	awaitCode(c, 1, "problem: "+refusal)
	awaitCode(c, 1, wayOut)
	awaitCode(c, 1, "nobody leads: the lease of ")
	c.AwaitStatus("nobody leads: the lease of ")
	c.AwaitStatus("degraded: ")
	checkSays(c, refusal, wayOut)

	// Over a restart: whose lease it is died, and cannot be taken from.
	c.Process.Kill()
	c.Start()
	awaitCode(c, 1, refusal)
	c.Kubectl("delete", "validatingwebhookconfiguration/refuse-all")
	awaitCode(c, 0, "is ready")
	c.AwaitStatus("kube-scheduler leading")
	if err := cluster.Readyz(t.Context(), c.Client()); err != nil {
		t.Error(err)
	}
}

// hangs is where a webhook is called and nobody answers; it tells of each call.
func hangs(e *harness.Env) (clientConfig string, called <-chan struct{}) {
	e.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	e.Must(err)
	calls := make(chan struct{}, 1000)
	var serving sync.WaitGroup
	e.Cleanup(func() { l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			e.Cleanup(func() { conn.Close() })
			calls <- struct{}{}
		}
	})
	return fmt.Sprintf(`{url: "https://%s/"}`, l.Addr()), calls
}

// TestAWebhookThatHoldsTheLeases has it hang for longer than who renews them waits.
func TestAWebhookThatHoldsTheLeases(t *testing.T) {
	e := harness.New(t)
	c := shortLeases(e)
	clientConfig, _ := hangs(e)
	configure(c, 10, clientConfig, everything)
	awaitCode(c, 1, "problem: "+refusal)
	awaitCode(c, 1, wayOut)
	c.Kubectl("delete", "validatingwebhookconfiguration/refuse-all")
	awaitCode(c, 0, "is ready")
	c.AwaitStatus("kube-scheduler leading")
}

// TestAStopWaitsForNoWebhook has it hold a role that is being put back.
func TestAStopWaitsForNoWebhook(t *testing.T) {
	e := harness.New(t)
	c := shortLeases(e)
	clientConfig, called := hangs(e)
	const seconds = 30
	configure(c, seconds, clientConfig, newRoles)
	c.Kubectl("delete", "clusterrole", "system:controller:job-controller")
	select {
	case <-called:
	case <-time.After(harness.Patience):
		t.Fatal("the role is not put back")
	}
	began := time.Now()
	c.StopInOrder()
	if took := time.Since(began); took > seconds/3*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

// checkSays runs `khw-controller check` beside the controller.
func checkSays(c *harness.Controller, words ...string) {
	c.Helper()
	cmd := exec.CommandContext(c.Context(), c.Binary(), append([]string{"check"}, c.RunArgs()...)...)
	out, _ := cmd.CombinedOutput() // it fails: the controller runs
	for _, w := range words {
		if !strings.Contains(string(out), w) {
			c.Errorf("check says %s, want %q", out, w)
		}
	}
}

func TestTheNodesOwnAddress(t *testing.T) {
	e := harness.New(t)
	for _, bind := range []string{"127.0.0.2", "::1"} {
		c := e.Controller("bind-"+strings.ReplaceAll(bind, ":", "_"), e.FreePorts())
		c.Args = []string{"--kube-apiserver-arg", "bind-address=" + bind}
		c.StartReady()
		awaitCode(c, 0, "is ready")
		c.AwaitStatus("ready: ")
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", c.Ports.Health))
		e.Must(err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("bind-address=%s: health checks are answered with %s", bind, resp.Status)
		}
		c.StopInOrder()
	}

	// Kubeconfigs of somebody else lead to where it does not listen: no component
	// would ever come up.
	c := e.Controller("elsewhere", e.FreePorts())
	c.GeneratePKI()
	c.Args = []string{"--kube-apiserver-arg", "bind-address=127.0.0.2"}
	c.Start()
	if code := c.Process.ExitCode(); code != 1 {
		t.Errorf("it ended with exit code %d, want 1", code)
	}
	want := fmt.Sprintf("connects to https://127.0.0.1:%d, but this controller's apiserver listens on 127.0.0.2 only", c.Ports.APIServer)
	if last := c.Process.Tail(1); !strings.Contains(last, "kube-scheduler.kubeconfig") || !strings.Contains(last, want) {
		t.Errorf("%q does not say %q", last, want)
	}
}

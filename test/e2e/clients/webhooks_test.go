// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/pkg/webhook"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// policy is a configuration of webhooks called policy: kind, clientConfig, rule.
const policy = `apiVersion: admissionregistration.k8s.io/v1
kind: %s
metadata: {name: policy}
webhooks:
- name: policy.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 10
  clientConfig: {%s}
  rules:
  - {operations: [CREATE, UPDATE], %s}
`

const (
	validating = "ValidatingWebhookConfiguration"
	mutating   = "MutatingWebhookConfiguration"

	gone       = "service: {namespace: default, name: gone}"
	rbac       = `apiGroups: [rbac.authorization.k8s.io], apiVersions: ["*"], resources: ["*"]`
	namespaces = `apiGroups: [""], apiVersions: [v1], resources: [namespaces]`
	everything = `apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"]`
)

// What is missing while a webhook refuses it: a default role, and the one namespace of
// Kubernetes' own that can be deleted.
const (
	missingRole      = "system:node-proxier"
	missingNamespace = corev1.NamespaceNodeLease
)

// TestAWebhookThatFails has webhooks refuse what a start makes where it is missing:
// default roles, system namespaces, and everything. Each would keep the start from its
// end for at least 30 s, and end it then, if it waited (upstream's hooks do).
func TestAWebhookThatFails(t *testing.T) {
	e := harness.New(t)
	c := e.Controller("controller", e.FreePorts())
	c.Args = []string{ // so that a lease whose holder could not give it back is taken soon
		"--kube-scheduler-arg", "leader-elect-lease-duration=4s", "--kube-scheduler-arg", "leader-elect-renew-deadline=3s", "--kube-scheduler-arg", "leader-elect-retry-period=1s",
		"--kube-controller-manager-arg", "leader-elect-lease-duration=4s", "--kube-controller-manager-arg", "leader-elect-renew-deadline=3s", "--kube-controller-manager-arg", "leader-elect-retry-period=1s",
	}
	c.StartReady()
	leads(c)
	for _, test := range []struct {
		name, kind, rule string
		hangs, leads     bool
	}{
		{name: "roles, gone", kind: validating, rule: rbac, leads: true},
		{name: "roles, hanging", kind: mutating, rule: rbac, hangs: true, leads: true},
		{name: "namespaces, gone", kind: mutating, rule: namespaces, leads: true},
		{name: "everything, hanging", kind: validating, rule: everything, hangs: true},
	} {
		c.Logf("%s", test.name)
		where, cut := gone, func() {}
		if test.hangs {
			var at net.Addr
			var certificate string
			at, certificate, cut = hanging(c)
			where = fmt.Sprintf("url: %q, caBundle: %s", "https://"+at.String(), certificate)
		}
		path := c.Path("policy.yaml")
		c.Must(os.WriteFile(path, fmt.Appendf(nil, policy, test.kind, where, test.rule), 0o600))
		c.Kubectl("create", "-f", path)
		lose(c, test.rule)
		if test.leads {
			c.StopInOrder()
		} else {
			c.Process.Kill() // it could not give its leases back anyway
		}
		begun := time.Now()
		c.StartReady()
		c.Logf("%s: it is ready after %s", test.name, time.Since(begun))
		healthCheckHolds(c)
		if test.leads {
			leads(c)
		}
		if test.rule != namespaces {
			told(c, test.kind, test.leads)
		}
		stillMissing(c, test.rule)

		c.Kubectl("delete", strings.ToLower(test.kind)+"/policy")
		cut()
		leads(c)
		if test.rule != namespaces {
			c.Eventually(missingRole+" to be put back", func(ctx context.Context) error {
				_, err := c.Client().RbacV1().ClusterRoles().Get(ctx, missingRole, metav1.GetOptions{})
				return err
			})
			status(c, 0, "is ready")
			c.AwaitStatus("ready: ")
		}
		healthCheckHolds(c)
	}
	c.Eventually(missingNamespace+" to be made again", func(ctx context.Context) error {
		_, err := c.Client().CoreV1().Namespaces().Get(ctx, missingNamespace, metav1.GetOptions{})
		return err
	})
	c.StopInOrder()
}

// lose deletes what the start of an apiserver makes, as soon as a webhook keeps everybody
// from making it again.
func lose(c *harness.Controller, rule string) {
	c.Helper()
	if rule == namespaces {
		c.Must(c.Client().CoreV1().Namespaces().Delete(c.Context(), missingNamespace, metav1.DeleteOptions{}))
		return
	}
	roles := c.Client().RbacV1().ClusterRoles()
	c.Eventually("the webhook to be in force", func(ctx context.Context) error {
		role, err := roles.Get(ctx, missingRole, metav1.GetOptions{})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		role.ResourceVersion, role.Name = "", "probe"
		if _, err = roles.Create(ctx, role, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err == nil {
			return errors.New("it refuses nothing yet")
		}
		return nil
	})
	c.Must(roles.Delete(c.Context(), missingRole, metav1.DeleteOptions{}))
}

// stillMissing wants that the webhook is why something is missing, and that the start
// has ended without it.
func stillMissing(c *harness.Controller, rule string) {
	c.Helper()
	var err error
	if rule == namespaces {
		var n interface{ GetDeletionTimestamp() *metav1.Time }
		if n, err = c.Client().CoreV1().Namespaces().Get(c.Context(), missingNamespace, metav1.GetOptions{}); err == nil && n.GetDeletionTimestamp() != nil {
			return
		}
	} else {
		_, err = c.Client().RbacV1().ClusterRoles().Get(c.Context(), missingRole, metav1.GetOptions{})
	}
	if !apierrors.IsNotFound(err) {
		c.Errorf("nothing is missing: the webhook was not in the way (%v)", err)
	}
}

// told wants one clear line for operators: in the log of the start, and in the status,
// with the way out.
func told(c *harness.Controller, kind string, leading bool) {
	c.Helper()
	const name = "policy.example.com"
	wayOut := "khw-controller kubectl delete " + strings.ToLower(kind) + "/policy"
	if leading {
		problem := webhook.ObjectsProblem(name)
		status(c, 1, problem+"; ", wayOut)
		c.AwaitStatus(problem)
	} else {
		// Its requests end before the webhook does, so that nobody names that to it.
		status(c, 1, "nobody leads: the lease of ", "it cannot be taken: ", "deadline exceeded")
	}
	c.AwaitStatus("degraded: ")
	said := slices.DeleteFunc(c.Process.Lines(), func(l string) bool { return !strings.Contains(l, "the start goes on") || !strings.Contains(l, name) })
	if len(said) != 1 {
		c.Errorf("the log says %d times that the start goes on: %q", len(said), said)
	}
}

// status waits until `khw-controller status` ends with a code, and says all of that.
func status(c *harness.Controller, code int, words ...string) {
	c.Helper()
	c.Eventually(fmt.Sprintf("status to say %q", words), func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, c.Binary(), "status", "--root", c.Root)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != code || slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(string(out), w) }) {
			return fmt.Errorf("it says %s (%w)", out, err)
		}
		return nil
	})
}

func leads(c *harness.Controller) {
	c.Helper()
	c.AwaitStatus("kube-scheduler leading")
	c.AwaitStatus("kube-controller-manager leading")
	c.AwaitStatus("bootstrap leading")
}

// healthCheckHolds asks the port that load balancers ask.
func healthCheckHolds(c *harness.Controller) {
	c.Helper()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", c.Ports.Health))
	c.Must(err)
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		c.Errorf("health checks are answered with %s: %s (%v)", resp.Status, body, err)
	}
}

// hanging takes requests and answers none, until it is cut; certificate is who it is, as
// an API object has it.
func hanging(c *harness.Controller) (at net.Addr, certificate string, cut func()) {
	c.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that it notices when the client is gone
		<-r.Context().Done()
	}))
	cut = sync.OnceFunc(func() { server.CloseClientConnections(); server.Close() })
	c.Cleanup(cut)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return server.Listener.Addr(), base64.StdEncoding.EncodeToString(text), cut
}

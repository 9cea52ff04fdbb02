// SPDX-License-Identifier: Apache-2.0

// Package skew has two minor versions of Kubernetes meet on one etcd: ours, and the
// stock daemons of the one before, which make skew builds. Their data come under ours,
// and back; three controllers are upgraded one after the other while they are used, and
// taken back; and each kubectl asks the other's server.
package skew

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// asked passes a scenario over unless make e2e-skew runs it: it needs another whole
// Kubernetes.
func asked(t *testing.T) *harness.Env {
	t.Helper()
	if os.Getenv("SKEW") == "" {
		t.Skip("make e2e-skew runs it")
	}
	return harness.New(t)
}

// daemons are a stock controller that runs.
type daemons struct {
	*harness.Stock
	running map[lab.Component]*process.Process
}

// startBefore starts the daemons of the release before and waits until they work.
func startBefore(s *harness.Stock) *daemons {
	s.Helper()
	s.Program = s.SkewProgram
	d := &daemons{s, map[lab.Component]*process.Process{}}
	for _, c := range lab.Components() {
		d.running[c] = s.Start(c)
	}
	s.WithinAlive(d.running[lab.APIServer], harness.Patience, "the apiserver of the release before", func(ctx context.Context) error {
		if err := cluster.Readyz(ctx, s.Client()); err != nil {
			return err
		}
		return cluster.BothHeld(ctx, s.Client())
	})
	return d
}

// stop ends them, those first that write by themselves.
func (d *daemons) stop(all ...lab.Component) {
	d.Helper()
	for _, c := range all {
		_, err := d.running[c].Stop(harness.Patience)
		d.Must(err)
	}
}

// minorOf is the minor version that a server says it is.
func minorOf(e *harness.Env, client kubernetes.Interface) string {
	e.Helper()
	v, err := client.Discovery().ServerVersion()
	e.Must(err)
	return v.Minor
}

// versionOf is all that a server says of its version.
func versionOf(e *harness.Env, client kubernetes.Interface) version.Info {
	e.Helper()
	raw, err := client.Discovery().RESTClient().Get().AbsPath("/version").Do(e.Context()).Raw()
	e.Must(err)
	var v version.Info
	e.Must(json.Unmarshal(raw, &v))
	return v
}

// kubectl is one of a release, and whom it asks.
type kubectl struct {
	*harness.Env
	argv []string // the program, and what comes first
}

// ours is khw-controller's own, asking whom a kubeconfig leads to.
func ours(e *harness.Env, kubeconfig string) kubectl {
	return kubectl{e, []string{e.Binary(), "kubectl", "--kubeconfig", kubeconfig}}
}

// before is that of the release before.
func before(e *harness.Env, kubeconfig string) kubectl {
	return kubectl{e, []string{e.SkewProgram("kubectl"), "--kubeconfig", kubeconfig}}
}

// try runs it, and returns both its outputs.
func (k kubectl) try(args ...string) (string, error) {
	argv := slices.Concat(k.argv, args)
	cmd := exec.CommandContext(k.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+k.Dir) // its cache of discovery goes with the test
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// do runs one that has to succeed.
func (k kubectl) do(args ...string) string {
	k.Helper()
	out, err := k.try(args...)
	if err != nil {
		k.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// apply puts the objects of a file there.
func (k kubectl) apply(file string) {
	k.Helper()
	k.Eventually(file+" to be applied", func(context.Context) error {
		_, err := k.try("apply", "--server-side", "-f", file)
		return err
	})
}

// works wants what each of the cluster's leaders does to be done: a Deployment made
// now has its pod bound.
func works(e *harness.Env, client kubernetes.Interface, name string) {
	e.Helper()
	_, err := client.AppsV1().Deployments(metav1.NamespaceDefault).Create(e.Context(), cluster.Deployment(name, 1), metav1.CreateOptions{})
	e.Must(err)
	e.Eventually("the pod of "+name+" to be bound", func(ctx context.Context) error {
		return bound(ctx, client, metav1.NamespaceDefault, name, 1)
	})
}

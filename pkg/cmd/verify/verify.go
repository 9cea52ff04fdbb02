// SPDX-License-Identifier: Apache-2.0

// Package verify is `khw-controller verify`.
package verify

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/profile"
	"github.com/khw-controller/khw-controller/pkg/verify"
)

// New returns the command. It exits with 1 when a step fails.
func New() *cobra.Command {
	var flags config.Flags
	var kubeconfig, address string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Go through the lab's verification, and say what to do where it fails",
		Long: `Go through the lab's verification against the control plane that runs here:

  units               the unit is enabled (or the lab's three)
  componentstatuses   kubectl get componentstatuses, all Healthy
  health proxy        curl -H "Host: kubernetes.default.svc.cluster.local" -i http://127.0.0.1/healthz
  kubelet RBAC        the lab's role and binding are there, and work: a SubjectAccessReview for the
                      apiserver's kubelet client certificate on each of the lab's five resources
  etcd members        every member healthy, one leader, no alarm
  encryption at rest  a secret is written to kube-system, read from etcd as it is stored, and removed
  version             curl --cacert ca.pem https://LB:6443/version, with --address LB

A step that fails says what to do next. Each takes seconds at most, also when
the apiserver is down, and nothing is left behind. It takes the flags of run, so
that it knows every path and port.

With --profile cis it goes through the CIS Kubernetes Benchmark instead, the
sections on the control plane, etcd and policies: each item passes, fails and
says what to do, or says why the lab's own value differs. It judges what the
controller that runs here was started with, with or without the profile; where
none runs, what the config file and the flags say.

Marks are ✔ and ✘ where the locale has Unicode, else [ok] and [FAILED].

Exit codes: 0 when no step, or item, fails; 1 when one does; 2 for wrong usage.`,
		Example: `  khw-controller verify
  khw-controller verify --address kubernetes-1234567890.eu-west-1.elb.amazonaws.com
  khw-controller verify --root ~/khw --healthz-bind-address 127.0.0.1:8080
  khw-controller verify --address 203.0.113.10:6443 -o junit > verify.xml
  khw-controller verify --profile cis -o json`,
		Args: cli.NoArgs,
	}
	output := cli.AddOutput(cmd, "json", "junit")
	flags.AddTo(cmd.Flags())
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "The admin's kubeconfig. (default /var/lib/kubernetes/admin.kubeconfig below the root)")
	cmd.Flags().StringVar(&address, "address", "", "The load balancer's `host[:port]`, to ask for /version through it. (default none: the apiserver itself is asked)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if flags.Withdraw("profile", profile.CIS) {
			return benchmark(cmd, &flags, kubeconfig, output.String())
		}
		plan, err := cli.Plan(cmd, &flags)
		if err != nil {
			return err
		}
		t, err := target(plan, kubeconfig, address)
		if err != nil {
			return err
		}
		begun := time.Now()
		told, finish := writer(cmd.OutOrStdout(), output.String(), begun)
		results := verify.Run(cmd.Context(), t, told)
		if errors.Is(cmd.Context().Err(), context.Canceled) {
			return errors.New("interrupted; what was made for a step has been removed, unless a line above says otherwise")
		}
		if err := finish(results); err != nil {
			return err
		}
		if verify.Count(results, verify.Failed) > 0 {
			return cli.Exit{Code: 1}
		}
		return nil
	}
	return cmd
}

// writer returns what prints each result, and what prints all of them at the end.
func writer(w io.Writer, format string, begun time.Time) (told func(verify.Result), finish func([]verify.Result) error) {
	told = func(verify.Result) {}
	switch format {
	case "json":
		return told, func(results []verify.Result) error {
			return cli.WriteJSON(w, map[string]any{
				"steps":  results,
				"passed": verify.Count(results, verify.Passed), "failed": verify.Count(results, verify.Failed), "skipped": verify.Count(results, verify.Skipped),
			})
		}
	case "junit":
		return told, func(results []verify.Result) error { return verify.WriteJUnit(w, results, begun) }
	}
	m := marks()
	return func(r verify.Result) { verify.WriteResult(w, r, m) }, func(results []verify.Result) error {
		verify.WriteSummary(w, results)
		return nil
	}
}

// marks are those that the user's locale can show: the first of these variables
// that is set says which it is (locale(7)).
func marks() verify.Marks {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(os.Getenv(name)); v != "" {
			if strings.Contains(v, "utf-8") || strings.Contains(v, "utf8") {
				return verify.Unicode
			}
			break
		}
	}
	return verify.ASCII
}

// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// StockArgs returns the command line of a stock component: the lab's, in the
// form that today's Kubernetes needs, with what has been required since and
// nothing that khw-controller adds of its own, listening on its port of p.
func StockArgs(c lab.Component, v lab.Values, p Ports) ([]string, error) {
	r, err := lab.Resolve(c, v, nil)
	if err != nil {
		return nil, err
	}
	required := map[string]bool{"service-account-issuer": true, "service-account-signing-key-file": true}
	var args []string
	for _, s := range r.Settings {
		if s.Source == lab.FromLab || required[s.Name] {
			args = append(args, s.String())
		}
	}
	return append(args, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", p.Secure()[c])), nil
}

const schedulerConfig = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection:
  kubeconfig: %q
leaderElection:
  leaderElect: true
`

// WriteStockSchedulerConfig writes the lab's kube-scheduler.yaml in today's form
// below root. khw-controller, whose config file it is as well, treats it as the
// lab's.
func WriteStockSchedulerConfig(root string) error {
	path := filepath.Join(root, "etc/kubernetes/config/kube-scheduler.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	kubeconfig := filepath.Join(root, "var/lib/kubernetes/kube-scheduler.kubeconfig")
	return os.WriteFile(path, fmt.Appendf(nil, schedulerConfig, kubeconfig), 0o644)
}

// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// checkComponents is the lab's `kubectl get componentstatuses`.
func checkComponents(ctx context.Context, t Target) checkResult {
	a, bad := newAPI(t)
	if bad != nil {
		return bad.result()
	}
	list, err := a.CoreV1().ComponentStatuses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return a.explain(err).result()
	}
	return evaluateComponents(list.Items, t.Ports)
}

// probedPorts are where the apiserver looks for the two, wherever they are
// (pkg/registry/core/rest/storage_core.go, serversToValidate).
var probedPorts = map[string]int{"controller-manager": 10257, "scheduler": 10259}

// componentUnhealthy is what kubectl calls a component that is not ComponentHealthy.
const componentUnhealthy corev1.ComponentConditionType = "Unhealthy"

func evaluateComponents(list []corev1.ComponentStatus, ports map[string]int) (r checkResult) {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATUS\tMESSAGE\tERROR")
	there := map[string]bool{}
	for _, c := range list {
		healthy, message, problem := condition(c)
		there[strings.TrimRight(c.Name, "0123456789")] = true
		status := corev1.ComponentHealthy
		if !healthy {
			status = componentUnhealthy
			r.fail(c.Name+" is unhealthy: "+strings.Join(strings.Fields(message+" "+problem), " "), nextForComponent(c.Name, ports))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Name, status, message, problem)
	}
	w.Flush()
	for line := range strings.Lines(table.String()) {
		r.output = append(r.output, strings.TrimSpace(line))
	}
	for _, name := range []string{"controller-manager", "scheduler", "etcd-"} {
		if !there[name] {
			r.fail("componentstatuses does not list "+strings.TrimSuffix(name, "-"), "see whether --kubeconfig leads to this control plane")
		}
	}
	return r
}

func condition(c corev1.ComponentStatus) (healthy bool, message, problem string) {
	for _, is := range c.Conditions {
		if is.Type == corev1.ComponentHealthy {
			return is.Status == corev1.ConditionTrue, is.Message, is.Error
		}
	}
	return false, "", "its health is not known"
}

func nextForComponent(name string, ports map[string]int) string {
	probed, ours := probedPorts[name]
	port, known := ports[name]
	switch {
	case ours && known && port != probed:
		return fmt.Sprintf("the apiserver asks 127.0.0.1:%d always, and secure-port=%d has moved it; take that setting back", probed, port)
	case ours:
		return "see its state in khw-controller status, and its reason in journalctl -u khw-controller"
	}
	return "see the step etcd members"
}

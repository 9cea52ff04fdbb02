// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// chart is a small one: what it makes says what it is told.
var chart = map[string]string{
	"Chart.yaml":  "apiVersion: v2\nname: demo\nversion: 0.1.0\n",
	"values.yaml": "message: none\n",
	"templates/objects.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}", labels: {served: "{{ .Capabilities.KubeVersion.Major }}"}}
data: {message: {{ .Values.message | quote }}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: "{{ .Release.Name }}"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: "{{ .Release.Name }}"}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: 0
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec: {containers: [{name: demo, image: example.com/demo}]}
`,
}

// helm has one of Helm's majors install, upgrade, roll back and uninstall a chart.
func helm(c *harness.Controller, major string) {
	c.Helper()
	dir, release := c.Path(major), "with-"+major
	for name, text := range chart {
		path := filepath.Join(dir, "chart", name)
		c.Must(os.MkdirAll(filepath.Dir(path), 0o755))
		c.Must(os.WriteFile(path, []byte(text), 0o600))
	}
	run := func(args ...string) string {
		c.Helper()
		cmd := exec.CommandContext(c.Context(), c.StockBinary(major), append(args, "--kubeconfig", c.Lab("admin.kubeconfig"))...)
		cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+dir+"/cache", "HELM_CONFIG_HOME="+dir+"/config", "HELM_DATA_HOME="+dir+"/data")
		out, err := cmd.Output()
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			c.Fatalf("%s %s: %v: %s", major, strings.Join(args, " "), err, failed.Stderr)
		}
		c.Must(err)
		return string(out)
	}
	says := func(want string) {
		c.Helper()
		if got := c.Kubectl("get", "configmap", release, "-o", "jsonpath={.data.message} {.metadata.labels.served}"); got != want+" 1" {
			c.Errorf("with %s, the object says %q, want %q", major, got, want)
		}
	}
	run("install", release, dir+"/chart", "--set", "message=first", "--wait", "--timeout", "60s")
	says("first")
	run("upgrade", release, dir+"/chart", "--set", "message=second", "--wait", "--timeout", "60s")
	says("second")
	run("rollback", release, "1", "--wait", "--timeout", "60s")
	says("first")
	if history := run("history", release); strings.Count(history, "superseded") != 2 || strings.Count(history, "deployed") != 1 {
		c.Errorf("with %s, the history is\n%s", major, history)
	}
	run("uninstall", release, "--wait", "--timeout", "60s")
	c.Eventually("everything of the chart to be gone", func(ctx context.Context) error {
		out, err := kubectl(ctx, c, "get", "configmap,serviceaccount,role,deployment", "-o", "name")
		if err != nil || strings.Contains(out, release) {
			return fmt.Errorf("%s (%w)", out, err)
		}
		return nil
	})
}

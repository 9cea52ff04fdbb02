// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mustWork does with one kubectl what people do with it, at a server of the other
// release; name tells its objects from others.
func mustWork(k kubectl, name string) {
	k.Helper()
	file := filepath.Join(k.Dir, name+".yaml")
	write := func(value string) {
		k.Must(os.WriteFile(file, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+", namespace: skew}\ndata: {key: "+value+"}\n"), 0o600))
	}
	write("one")
	k.Eventually("the schema of widgets to be published", func(context.Context) error {
		_, err := k.try("explain", "widget.spec.size")
		return err
	})
	for _, step := range []struct {
		args []string
		says string
	}{
		{[]string{"apply", "--server-side", "-f", file}, "serverside-applied"},
		{[]string{"diff", "--server-side", "-f", file}, ""},
		{[]string{"get", "configmap", name, "-n", "skew", "-o", "jsonpath={.data.key}"}, "one"},
		{[]string{"get", "all,widgets,ingresses,networkpolicies", "-n", "skew", "-o", "wide"}, "deployment.apps/web"},
		{[]string{"get", "deployments", "-A", "-o", "yaml", "--show-managed-fields"}, "kind: Deployment"},
		{[]string{"describe", "deployment", "web", "-n", "skew"}, "NewReplicaSet"},
		{[]string{"explain", "deployment.spec.replicas"}, "FIELD: replicas"},
		{[]string{"explain", "widget.spec.size"}, "FIELD: size"},
		{[]string{"api-resources", "--api-group", "apps"}, "deployments"},
		{[]string{"rollout", "status", "deployment/idle", "-n", "skew", "--timeout=30s"}, "successfully rolled out"},
		{[]string{"rollout", "history", "deployment/web", "-n", "skew"}, "REVISION"},
		{[]string{"auth", "can-i", "create", "pods", "-n", "skew"}, "yes"},
		{[]string{"auth", "can-i", "list", "secrets", "-n", "skew", "--as", "system:serviceaccount:skew:robot"}, "no"},
		{[]string{"auth", "whoami"}, "admin"},
		{[]string{"wait", "--for=jsonpath={.status.phase}=Active", "namespace/skew", "--timeout=30s"}, "condition met"},
		{[]string{"wait", "--for=condition=Established", "crd/widgets.skew.example", "--timeout=30s"}, "condition met"},
		{[]string{"create", "token", "robot", "-n", "skew"}, "ey"},
		{[]string{"patch", "configmap", name, "-n", "skew", "--type=merge", "-p", `{"data":{"patched":"yes"}}`}, "patched"},
		{[]string{"patch", "widget", "small", "-n", "skew", "--type=merge", "-p", `{"spec":{"color":"green"}}`}, "small patched"},
		{[]string{"label", "configmap", name, "-n", "skew", "labelled=yes"}, "labeled"},
		{[]string{"create", "configmap", name + "-dry", "-n", "skew", "--from-literal=a=b", "--dry-run=server", "-o", "name"}, name + "-dry"},
		{[]string{"scale", "widget/small", "-n", "skew", "--replicas=5"}, "scaled"},
		{[]string{"get", "events", "-n", "skew"}, ""},
		{[]string{"get", "--raw", "/readyz"}, "ok"},
		{[]string{"version"}, "Server Version"},
		{[]string{"delete", "configmap", name, "-n", "skew"}, "deleted"},
	} {
		out, err := k.try(step.args...)
		if refused := step.says == "no"; (err != nil) != refused || !strings.Contains(out, step.says) || strings.Contains(out, "exceeds the supported minor version skew") {
			k.Errorf("%s: kubectl %s: %v: %s, want %q", name, strings.Join(step.args, " "), err, out, step.says)
		}
	}
	k.do("apply", "--server-side", "-f", file)
	write("another")
	if out, err := k.try("diff", "--server-side", "-f", file); err == nil || !strings.Contains(out, "+  key: another") {
		k.Errorf("%s: diff of what differs: %v: %s", name, err, out)
	}
	k.do("delete", "-f", file)
	k.do("patch", "widget", "small", "-n", "skew", "--type=merge", "-p", `{"spec":{"color":"blue","size":3}}`)
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

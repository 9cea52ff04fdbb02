// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Manifest writes a file of manifests.d and returns its path.
func (c *Controller) Manifest(name, content string) string {
	c.Helper()
	path := filepath.Join(c.Root, "etc/kubernetes/manifests.d", name)
	c.Must(os.MkdirAll(filepath.Dir(path), 0o755))
	c.Must(os.WriteFile(path, []byte(content), 0o644))
	return path
}

// TeamNamespace is the manifest of the namespace that the ConfigMaps of
// [TeamConfigMap] are in.
const TeamNamespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n"

// TeamConfigMap returns the manifest of a ConfigMap that says as-in-file.
func TeamConfigMap(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: team}\ndata: {key: as-in-file}\n"
}

// TeamConfigMapSays waits until the cluster's ConfigMap says what is wanted.
func (c *Controller) TeamConfigMapSays(name, want string) {
	c.Helper()
	c.Eventually("ConfigMap "+name+" to say "+want, func(ctx context.Context) error {
		m, err := c.Client().CoreV1().ConfigMaps("team").Get(ctx, name, metav1.GetOptions{})
		if err == nil && m.Data["key"] != want {
			err = fmt.Errorf("it says %q", m.Data["key"])
		}
		return err
	})
}

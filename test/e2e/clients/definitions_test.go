// SPDX-License-Identifier: Apache-2.0

package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
)

// The size of a big definition: more than the 262,144 bytes that kubectl apply can
// remember in an annotation, and less than etcd takes.
const (
	fields      = 600
	description = 800 // bytes, of each field
)

// bigDefinition applies a custom resource definition of half a megabyte on the server's
// side, and objects of it.
func bigDefinition(c *harness.Controller) {
	c.Helper()
	properties := map[string]any{}
	for i := range fields {
		properties[fmt.Sprintf("field%03d", i)] = map[string]any{
			"type": "object", "description": fmt.Sprintf("Field number %d. %s", i, strings.Repeat("word ", description/5)),
			"properties": map[string]any{"size": map[string]any{"type": "integer", "minimum": 0}, "names": map[string]any{"type": "array", "items": map[string]any{"type": "string"}}},
		}
	}
	definition, err := json.Marshal(map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "bigs.tests.example.com"},
		"spec": map[string]any{
			"group": "tests.example.com", "scope": "Namespaced",
			"names": map[string]any{"plural": "bigs", "singular": "big", "kind": "Big"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "properties": map[string]any{"spec": map[string]any{"type": "object", "properties": properties}},
				}},
			}},
		},
	})
	c.Must(err)
	path := c.Path("definition.json")
	c.Must(os.WriteFile(path, definition, 0o600))
	c.Logf("the definition has %d bytes", len(definition))

	if _, err := kubectl(c.Context(), c, "apply", "-f", path); err == nil || !strings.Contains(err.Error(), "may not be more than 262144 bytes") {
		c.Errorf("kubectl apply ends with %v, want upstream's limit", err)
	}
	for range 2 { // the second time, nothing changes
		c.Kubectl("apply", "--server-side", "-f", path)
	}
	c.Kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/bigs.tests.example.com")
	big := func(name, size string) string {
		path := c.Path(name + ".yaml")
		c.Must(os.WriteFile(path, fmt.Appendf(nil, "apiVersion: tests.example.com/v1\nkind: Big\nmetadata: {name: %s}\nspec: {field%03d: {size: %s, names: [a, b]}}\n", name, fields-1, size), 0o600))
		return path
	}
	good := big("good", "7")
	c.Eventually("an object of it", func(ctx context.Context) error {
		_, err := kubectl(ctx, c, "apply", "--server-side", "-f", good)
		return err
	})
	if got := c.Kubectl("get", "big", "good", "-o", fmt.Sprintf("jsonpath={.spec.field%03d.size}", fields-1)); got != "7" {
		c.Errorf("the object says %q", got)
	}
	if _, err := kubectl(c.Context(), c, "apply", "--server-side", "-f", big("bad", "-1")); err == nil || !strings.Contains(err.Error(), "should be greater than or equal to 0") {
		c.Errorf("an object against the schema ends with %v", err)
	}
	c.Eventually("kubectl to explain it", func(ctx context.Context) error {
		out, err := kubectl(ctx, c, "explain", fmt.Sprintf("big.spec.field%03d", fields-1))
		if err != nil || !strings.Contains(out, fmt.Sprintf("Field number %d.", fields-1)) {
			return fmt.Errorf("%s (%w)", out, err)
		}
		return nil
	})
}

// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/cert"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheBindingIsForTheCertificatesUser(t *testing.T) {
	pem, _, err := cert.GenerateSelfSignedCertKey("controller-kubelet-client", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(t.TempDir(), "kubernetes.pem"), string(pem))
	objects, err := kubeletObjects(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := commonName(path)
	if err != nil || !strings.HasPrefix(want, "controller-kubelet-client") {
		t.Fatalf("the common name is %q, %v", want, err)
	}
	if got := names(objects); !slices.Equal(got, []string{"ClusterRole system:kube-apiserver-to-kubelet", "ClusterRoleBinding system:kube-apiserver"}) {
		t.Errorf("got %q", got)
	}
	subjects, _, err := unstructured.NestedSlice(objects[1].Object, "subjects")
	if err != nil || len(subjects) != 1 || subjects[0].(map[string]any)["name"] != want {
		t.Errorf("the subjects are %v, %v; want the user %s", subjects, err, want)
	}
}

func TestWithoutACertificateNobodyIsBound(t *testing.T) {
	for name, test := range map[string]struct {
		path string
		says string
	}{
		"none wanted":  {"", ""},
		"missing":      {"/nowhere/kubernetes.pem", "/nowhere/kubernetes.pem"},
		"no PEM there": {"kubelet-rbac.yaml", "kubelet client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := kubeletObjects(test.path)
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error that names %q", err, test.says)
			}
			if got := names(objects); !slices.Equal(got, []string{"ClusterRole system:kube-apiserver-to-kubelet"}) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func names(objects []object) []string {
	var all []string
	for _, o := range objects {
		all = append(all, o.String())
	}
	return all
}

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n"

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		want    []string
		says    string
	}{
		"one":                  {configMap, []string{"ConfigMap b/a"}, ""},
		"empty documents":      {"---\n# nothing\n---\n" + configMap + "---\n", []string{"ConfigMap b/a"}, ""},
		"two":                  {configMap + "---\n" + configMap, []string{"ConfigMap b/a", "ConfigMap b/a"}, ""},
		"list":                 {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: kept}}\n", []string{"Namespace kept"}, ""},
		"JSON":                 {`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"}}`, []string{"Namespace n"}, ""},
		"nothing":              {"", nil, ""},
		"not YAML":             {configMap + "---\na: [\n", nil, "m.yaml: document 2: yaml: line"},
		"a key twice":          {configMap + "kind: Secret\n", nil, `"kind" already set`},
		"no kind":              {"apiVersion: v1\nmetadata: {name: n}\ndata: {password: hunter2}\n", nil, "m.yaml: document 1: has no kind"},
		"an empty kind":        {"apiVersion: v1\nkind: \"\"\nmetadata: {name: n}\ndata: {password: hunter2}\n", nil, "m.yaml: document 1: has no kind"},
		"no version":           {"kind: ConfigMap\nmetadata: {name: n}\n", nil, "has no apiVersion"},
		"no name":              {"apiVersion: v1\nkind: ConfigMap\n", nil, "the ConfigMap has no metadata.name"},
		"generated name":       {"apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: n-}\n", nil, "the ConfigMap has no metadata.name"},
		"list with a bad item": {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace}\n", nil, "item 1: the Namespace has no metadata.name"},
		"a scalar":             {"hello\n", nil, "is not an object"},
		"a sequence":           {"- a\n", nil, "is not an object"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := parse("m.yaml", []byte(test.content))
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error that says %q", err, test.says)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%q quotes the document, or takes two lines", err)
			}
			if got := names(objects); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWhatAnExportAddsIsLeftOut(t *testing.T) {
	objects, err := parse("m.yaml", []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: kept, uid: u, resourceVersion: \"1\", managedFields: [{manager: kubectl}]}\n"))
	if err != nil || len(objects) != 1 {
		t.Fatalf("got %v, %v", objects, err)
	}
	if o := objects[0]; o.GetUID() != "" || o.GetResourceVersion() != "" || o.GetManagedFields() != nil {
		t.Errorf("it would apply %v", o.Object)
	}
}

func TestFilesAreSortedAndOthersLeftAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"20-b.yml", "10-a.yaml", ".10-a.yaml.swp.yaml", "README", "x.yaml.dpkg-dist", "x.json"} {
		write(t, filepath.Join(dir, name), configMap)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := files(dir)
	if want := []string{filepath.Join(dir, "10-a.yaml"), filepath.Join(dir, "20-b.yml")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if got, err := files(filepath.Join(dir, "nowhere")); got != nil || err != nil {
		t.Errorf("a missing directory gives %q, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(configMap))
	f.Add([]byte("apiVersion: v1\nkind: List\nitems: [{}]\n---\n{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := parse("m.yaml", data)
		if err != nil && objects != nil {
			t.Error("a bad file gives objects")
		}
		for _, o := range objects {
			if o.GetKind() == "" || o.GetName() == "" || o.GetAPIVersion() == "" {
				t.Errorf("an object that cannot be applied: %v", o)
			}
		}
	})
}

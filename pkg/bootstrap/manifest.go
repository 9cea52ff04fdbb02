// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/yaml"
)

// object is one object to apply, and where it comes from.
type object struct {
	*unstructured.Unstructured
	source string
}

// String names the object for people: "ClusterRole x" or "ConfigMap ns/x".
func (o object) String() string {
	name := o.GetName()
	if ns := o.GetNamespace(); ns != "" {
		name = ns + "/" + name
	}
	return o.GetKind() + " " + name
}

//go:embed kubelet-rbac.yaml
var kubeletRBAC []byte

// builtIn is the source of the objects that no file has.
const builtIn = "the lab's kubelet RBAC"

// kubeletObjects returns the lab's ClusterRole and its binding to the user as
// whom the apiserver comes to kubelets: the common name of its client
// certificate. Without a certificate there is nobody to bind.
func kubeletObjects(clientCertificate string) ([]object, error) {
	objects, err := parse(builtIn, kubeletRBAC)
	if err != nil {
		return nil, err
	}
	if clientCertificate == "" {
		return objects[:1], nil
	}
	user, err := commonName(clientCertificate)
	if err != nil {
		return objects[:1], err
	}
	return objects, unstructured.SetNestedSlice(objects[1].Object, []any{map[string]any{
		"apiGroup": rbacv1.GroupName, "kind": rbacv1.UserKind, "name": user,
	}}, "subjects")
}

func commonName(path string) (string, error) {
	certs, err := cert.CertsFromFile(path)
	if err != nil {
		return "", fmt.Errorf("the kubelet client certificate: %w", err)
	}
	name := certs[0].Subject.CommonName
	if name == "" {
		return "", fmt.Errorf("the kubelet client certificate %s has no common name; sign one with CN=kubernetes", path)
	}
	return name, nil
}

// files lists the manifests in dir, sorted by name; a directory that is not
// there holds none. Hidden files are an editor's.
func files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var paths []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(paths)
	return paths, err
}

// read returns the objects of one manifest: all of them or an error that names
// the file.
func read(path string) ([]object, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, data)
}

func parse(source string, data []byte) ([]object, error) {
	var objects []object
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for n := 1; ; n++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		found, err := decode(document)
		if err != nil {
			return nil, fmt.Errorf("%s: document %d: %w", source, n, err)
		}
		for _, o := range found {
			objects = append(objects, object{o, source})
		}
	}
}

// decode returns the objects of one document: none for an empty one, and the
// items of a list.
func decode(document []byte) ([]*unstructured.Unstructured, error) {
	data, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "), "\n", " "))
	}
	var content any
	if err := json.Unmarshal(data, &content); err != nil {
		return nil, err
	}
	if content == nil {
		return nil, nil
	}
	fields, ok := content.(map[string]any)
	if !ok {
		return nil, errors.New("is not an object with apiVersion and kind")
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		return nil, explainDecode(fields, err)
	}
	if !u.IsList() {
		return []*unstructured.Unstructured{u}, complete(u)
	}
	list, err := u.ToList()
	if err != nil {
		return nil, err
	}
	var items []*unstructured.Unstructured
	for i := range list.Items {
		if err := complete(&list.Items[i]); err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		items = append(items, &list.Items[i])
	}
	return items, nil
}

// explainDecode says what is missing instead of quoting the document, which may
// hold secrets.
func explainDecode(fields map[string]any, err error) error {
	for _, key := range []string{"kind", "apiVersion"} {
		if s, ok := fields[key].(string); !ok || s == "" {
			return fmt.Errorf("has no %s", key)
		}
	}
	return err
}

// complete wants what an object needs to be applied.
func complete(u *unstructured.Unstructured) error {
	switch {
	case u.GetKind() == "":
		return errors.New("has no kind")
	case u.GetAPIVersion() == "":
		return errors.New("has no apiVersion")
	case u.GetName() == "":
		return fmt.Errorf("the %s has no metadata.name", u.GetKind())
	}
	u.SetManagedFields(nil) // an object that was exported
	u.SetResourceVersion("")
	u.SetUID("")
	return nil
}

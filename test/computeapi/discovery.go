// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// document is the part of a discovery document that requests are checked by.
type document struct {
	Parameters map[string]*schema `json:"parameters"`
	Schemas    map[string]*schema `json:"schemas"`
	Resources  map[string]struct {
		Methods map[string]*method `json:"methods"`
	} `json:"resources"`

	routes map[string][]*method // by HTTP method and number of segments
}

// method is one of the API's, such as compute.firewalls.insert.
type method struct {
	ID         string             `json:"id"`
	HTTPMethod string             `json:"httpMethod"`
	FlatPath   string             `json:"flatPath"`
	Parameters map[string]*schema `json:"parameters"`
	Request    reference          `json:"request"`
	Response   reference          `json:"response"`

	segments []string
}

type reference struct {
	Ref string `json:"$ref"`
}

// schema is a type: of a parameter, a field or a whole resource.
type schema struct {
	reference
	Type                 string             `json:"type"`
	Format               string             `json:"format"`
	Pattern              string             `json:"pattern"`
	Enum                 []string           `json:"enum"`
	Location             string             `json:"location"`
	Required             bool               `json:"required"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties *schema            `json:"additionalProperties"`
	Items                *schema            `json:"items"`
	Annotations          struct {
		Required []string `json:"required"`
	} `json:"annotations"`
}

// discover reads the document once.
var discover = sync.OnceValues(func() (*document, error) {
	// The document lies in the module cache, where only the go command knows.
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "google.golang.org/api").Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		return nil, fmt.Errorf("asking go list for the module google.golang.org/api: %w", err)
	}
	raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "compute/v1/compute-api.json"))
	if err != nil {
		return nil, err
	}
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("reading compute-api.json: %w", err)
	}
	doc.routes = map[string][]*method{}
	for _, r := range doc.Resources {
		for _, m := range r.Methods {
			m.segments = strings.Split(m.FlatPath, "/")
			key := routeKey(m.HTTPMethod, m.segments)
			doc.routes[key] = append(doc.routes[key], m)
		}
	}
	return &doc, nil
})

func routeKey(httpMethod string, segments []string) string {
	return fmt.Sprint(httpMethod, len(segments))
}

// route finds the method of a request, and the values in its path.
func (d *document) route(httpMethod, path string) (*method, map[string]string) {
	segments := strings.Split(path, "/")
	for _, m := range d.routes[routeKey(httpMethod, segments)] {
		if values, ok := match(m.segments, segments); ok {
			return m, values
		}
	}
	return nil, nil
}

// match holds a path against a template. A literal must not match a parameter
// of another template: no name of the API's own is a legal project or region.
func match(template, segments []string) (map[string]string, bool) {
	values := map[string]string{}
	for i, t := range template {
		if name, ok := strings.CutPrefix(t, "{"); ok {
			values[strings.TrimSuffix(name, "}")] = segments[i]
		} else if t != segments[i] {
			return nil, false
		}
	}
	return values, true
}

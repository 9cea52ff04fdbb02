// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/pkg/paths"
)

// FrontProxy makes the certificates of the aggregation layer beside the lab's, by the
// commands of docs/aggregation.md.
func (c *Controller) FrontProxy() {
	c.Helper()
	dir := c.Lab("")
	c.labShell(dir, strings.ReplaceAll(c.aggregation("sh", dir), "sudo ", ""))
}

// FrontProxyArgs are that page's flags of kube-apiserver, as name=value, for who has the
// lab's files in dir.
func (e *Env) FrontProxyArgs(dir string) []string {
	e.Helper()
	var file struct {
		Args []string `json:"kube-apiserver-arg"`
	}
	e.Must(yaml.UnmarshalStrict([]byte(e.aggregation("yaml", dir)), &file))
	return file.Args
}

// aggregation is the page's code of a kind, with dir in place of the lab's directory.
func (e *Env) aggregation(kind, dir string) string {
	e.Helper()
	root, err := repository()
	e.Must(err)
	page, err := os.ReadFile(filepath.Join(root, "docs/aggregation.md"))
	e.Must(err)
	_, code, found := strings.Cut(string(page), "\n```"+kind+"\n")
	code, _, closed := strings.Cut(code, "\n```\n")
	if !found || !closed {
		e.Fatalf("docs/aggregation.md has no code of the kind %s", kind)
	}
	return strings.ReplaceAll(code, string(paths.LabDir), filepath.Clean(dir))
}

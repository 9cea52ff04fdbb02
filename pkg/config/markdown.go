// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io"

	"github.com/khw-controller/khw-controller/pkg/paths"
)

// WriteMarkdown prints the reference of every key for the documentation.
func WriteMarkdown(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "# Configuration\n\n"+
		"Every key is a flag of `khw-controller run`, `check` and `flags`, and a key of the one config file,\n"+
		"`%s` (or `--config FILE`). A flag beats the file, the file beats the lab's value.\n"+
		"The file is strict: an unknown key is an error that names its line.\n\n"+
		"```yaml\nadvertise-address: 10.240.0.10\netcd-servers:\n  - https://10.240.0.10:2379\n  - https://10.240.0.11:2379\n  - https://10.240.0.12:2379\n"+
		"kube-apiserver-arg:\n  - event-ttl=2h\n```\n\n"+
		"This page is printed by `make docs`.\n", paths.Config); err != nil {
		return err
	}
	for _, k := range Keys() {
		if _, err := fmt.Fprintf(w, "\n## `%s`\n\n%s\n\n- Value: `%s`\n", k.Name, k.Doc, k.Type); err != nil {
			return err
		}
		if k.List {
			fmt.Fprintln(w, "- In the file: one value or a list")
		}
		if k.Default != "" {
			fmt.Fprintf(w, "- Default: %s\n", k.Default)
		}
	}
	return nil
}

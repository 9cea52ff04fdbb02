// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/paths"
)

// shipped are the settings of the config file that the packages install, in YAML,
// each with the reason why it is not the program's own.
var shipped = map[string]struct{ why, yaml string }{
	"kube-controller-manager-arg": {
		"The controller-manager makes this directory, by default below /usr, where the service may not write.",
		"kube-controller-manager-arg:\n  - flex-volume-plugin-dir=/run/khw-controller/flexvolume\n",
	},
	"kube-apiserver-arg": {
		"The audit log is not at the lab's /var/log/audit.log itself, but there is a link: the service is not root, and to " +
			"rotate the log it has to be able to write into its directory.",
		"kube-apiserver-arg:\n  - audit-log-path=/var/log/khw-controller/audit.log\n",
	},
	"v": {
		"The lab's 2 adds the components' warnings, and 4 is for looking for trouble. `systemctl reload` takes a change over " +
			"at once.",
		"v: 0\n",
	},
}

// exampleWidth is that of the example's lines.
const exampleWidth = 80

// Example is the config file that the packages install: every key with its
// documentation, commented out unless it is shipped with a value.
func Example() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Settings of khw-controller, %s.\n#\n", paths.Config)
	comment(&b, "Every key is also a flag of `khw-controller run`; a flag beats this file, and this file beats the lab's value. An "+
		"unknown key is an error. `khw-controller check` says what would come of a change, `systemctl restart khw-controller` "+
		"makes it. Printed by `make docs`.")
	for _, k := range Keys() {
		b.WriteString("\n")
		comment(&b, k.Doc)
		if k.Default != "" {
			comment(&b, "Default: "+k.Default)
		}
		set, ok := shipped[k.Name]
		if !ok {
			b.WriteString("#" + k.Name + ": " + exampleValue(k) + "\n")
			continue
		}
		b.WriteString("#\n")
		comment(&b, set.why)
		b.WriteString(set.yaml)
	}
	return []byte(b.String())
}

func exampleValue(k Key) string {
	if k.List {
		return "[" + k.Type + "]"
	}
	return k.Type
}

// comment writes text as comment lines.
func comment(b *strings.Builder, text string) {
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > exampleWidth {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}

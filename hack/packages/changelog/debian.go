// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/goreleaser/chglog"
)

// debianTemplate is deb-changelog(5). chglog's own makes each line of a note that
// goes over several a note of its own.
const debianTemplate = `{{- $name := .Name}}
{{- range $i, $e := .Entries}}
{{- if $i}}

{{end}}
{{- $name}} ({{.Semver}}) stable; urgency=medium
{{range .Changes}}
  * {{.Note | replace "\n" "\n  "}}
{{- end}}

 -- {{.Packager}}  {{date_in_zone "Mon, 02 Jan 2006 15:04:05 -0700" .Date "UTC"}}
{{- end}}
`

func debian(entries chglog.ChangeLogEntries) (string, error) {
	t, err := chglog.LoadTemplateData(debianTemplate)
	if err != nil {
		return "", err
	}
	return chglog.FormatChangelog(&chglog.PackageChangeLog{Name: name, Entries: entries}, t)
}

// wrap breaks a note into lines, each but the first indented to stand below the
// text after a bullet.
func wrap(note string) string {
	var out strings.Builder
	column := 0
	for _, word := range strings.Fields(note) {
		switch {
		case column == 0:
		case column+1+len(word) > noteColumn:
			out.WriteString("\n  ")
			column = 0
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += len(word)
	}
	return out.String()
}

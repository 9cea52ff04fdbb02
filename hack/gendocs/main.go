// SPDX-License-Identifier: Apache-2.0

// Command gendocs prints the reference pages, and the config file that the
// packages install, from the definitions that the program itself reads.
// Usage: gendocs DIRECTORY, that of the repository.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendocs DIRECTORY")
		os.Exit(2)
	}
	pages, err := render()
	for name, page := range pages {
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], name), page, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}

// render returns each page by its path in the repository.
func render() (map[string][]byte, error) {
	var flags, configuration, profiles bytes.Buffer
	if err := lab.WriteMarkdown(&flags); err != nil {
		return nil, err
	}
	if err := config.WriteMarkdown(&configuration); err != nil {
		return nil, err
	}
	if err := profile.WriteMarkdown(&profiles); err != nil {
		return nil, err
	}
	benchmark, err := benchmarkPage()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"docs/cis.md":                   benchmark,
		"docs/profiles.md":              profiles.Bytes(),
		"docs/flags.md":                 flags.Bytes(),
		"docs/configuration.md":         configuration.Bytes(),
		"packaging/khw-controller.yaml": config.Example(),
	}, nil
}

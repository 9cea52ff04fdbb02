// SPDX-License-Identifier: Apache-2.0

// Command gendocs prints the reference pages from the definitions that the
// program itself reads. Usage: gendocs DIRECTORY
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
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

// render returns each page by its file name.
func render() (map[string][]byte, error) {
	var flags, configuration bytes.Buffer
	if err := lab.WriteMarkdown(&flags); err != nil {
		return nil, err
	}
	if err := config.WriteMarkdown(&configuration); err != nil {
		return nil, err
	}
	return map[string][]byte{"flags.md": flags.Bytes(), "configuration.md": configuration.Bytes()}, nil
}

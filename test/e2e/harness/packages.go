// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"path/filepath"
	"runtime"
)

// rpmArch are rpm's names of Go's architectures.
var rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// Package returns the package under test in a format, deb or rpm, for this
// machine's architecture; a missing one fails the test.
func (e *Env) Package(format string) string {
	e.Helper()
	return e.packageIn("dist", format, "packages")
}

// PackageBefore returns that of an earlier version, which the one under test is an
// upgrade of.
func (e *Env) PackageBefore(format string) string {
	e.Helper()
	return e.packageIn("bin/before/dist", format, "packages-before")
}

// packageIn returns the package in a directory that a target of make fills.
func (e *Env) packageIn(dir, format, target string) string {
	e.Helper()
	root, err := repository()
	e.Must(err)
	arch := map[string]string{"deb": runtime.GOARCH, "rpm": rpmArch[runtime.GOARCH]}[format]
	pattern := filepath.Join(root, dir, fmt.Sprintf("khw-controller*%s.%s", arch, format))
	found, err := filepath.Glob(pattern)
	e.Must(err)
	if len(found) != 1 {
		e.Fatalf("%d packages are %s, want 1; run make %s", len(found), pattern, target)
	}
	return found[0]
}

// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bufio"
	"embed"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/version"
)

// seen has, for some releases of Kubernetes, the flags that each component has by
// itself, one in a line: its name, and from v1.36 on its type, its default and why it is
// deprecated, apart by tabs. The table is compared with all of them. Those of v1.10 were
// read from its sources; the others are what the components' own flag sets say.
//
//go:embed seen
var seen embed.FS

// releasesSeen are these releases, the newest first.
func releasesSeen() []string { return slices.Clone(seenFlags().releases) }

// seenIn returns the newest of them in which a component has the flag, "" where none is.
func seenIn(c Component, name string) string {
	all := seenFlags()
	for _, release := range all.releases {
		if all.flags[release][c][name] {
			return release
		}
	}
	return ""
}

type seenByRelease struct {
	releases []string
	flags    map[string]map[Component]map[string]bool
}

var seenFlags = sync.OnceValue(func() seenByRelease {
	all := map[string]map[Component]map[string]bool{}
	err := fs.WalkDir(seen, "seen", func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		release, component := path.Base(path.Dir(file)), Component(strings.TrimSuffix(e.Name(), ".txt"))
		if all[release] == nil {
			all[release] = map[Component]map[string]bool{}
		}
		all[release][component], err = namesIn(file)
		return err
	})
	if err != nil {
		panic(err) // it is part of the program
	}
	newestFirst := func(a, b string) int {
		if version.MustParseSemantic(a).LessThan(version.MustParseSemantic(b)) {
			return 1
		}
		return -1
	}
	return seenByRelease{slices.SortedFunc(maps.Keys(all), newestFirst), all}
})

// namesIn are the names of the flags in a file of seen.
func namesIn(file string) (map[string]bool, error) {
	f, err := seen.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, _, _ := strings.Cut(lines.Text(), "\t")
		names[name] = true
	}
	return names, lines.Err()
}

// SPDX-License-Identifier: Apache-2.0

// Package profile holds the profiles of `run`: settings that belong together, under
// one name. What comes in is their names and what they depend on; what comes out is
// flags of the components and keys of the config file, each under the user's own.
package profile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// Facts are what the values of a profile depend on.
type Facts struct {
	// CPUs and Memory, in bytes, are what the process may use.
	CPUs   int
	Memory uint64
	// Cluster tells that the embedded etcd is one of several members.
	Cluster bool
	// Root is put before every path.
	Root string
}

// Etcd is the component whose flags are those of the embedded etcd, and Own the one
// whose flags are keys of the config file.
const (
	Etcd lab.Component = "etcd"
	Own  lab.Component = "khw-controller"
)

// Setting is one flag, or key, that a profile sets.
type Setting struct {
	Of          lab.Component
	Name, Value string
	// Otherwise is what holds without the profile, and Why what it is for.
	Otherwise, Why string
}

// Profile is settings under a name.
type Profile struct {
	Name string
	// Doc says in a sentence what it is for.
	Doc string
	// Settings are what it sets.
	Settings func(Facts) []Setting
	// Files are what its settings point to.
	Files []File

	// notes are what there is to know beyond its settings, for the documentation.
	notes string
}

// File is a file that a flag of a profile points to, and what it holds where the user
// has none there.
type File struct {
	Of   lab.Component
	Flag string
	Path paths.Path
	Data []byte
}

// All lists every profile.
func All() []Profile { return []Profile{edge, cis} }

// Files lists the files of the named profiles.
func Files(names []string) []File {
	var all []File
	for _, p := range All() {
		if slices.Contains(names, p.Name) {
			all = append(all, p.Files...)
		}
	}
	return all
}

// Doc says in a sentence what a profile is for.
func Doc(name string) string {
	for _, p := range All() {
		if p.Name == name {
			return p.Doc
		}
	}
	return ""
}

// Names lists the names of all profiles.
func Names() []string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name)
	}
	return names
}

// Parse takes a list of names, and refuses what is no profile.
func Parse(list string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "" || slices.Contains(names, name):
		case slices.Contains(Names(), name):
			names = append(names, name)
		default:
			return nil, fmt.Errorf("there is no profile %q; want %s", name, strings.Join(Names(), " or "))
		}
	}
	return names, nil
}

const sourcePrefix = "profile "

// Source is the source of what a profile sets.
func Source(name string) string { return sourcePrefix + name }

// IsSource reports whether a source is that of a profile.
func IsSource(source string) bool { return strings.HasPrefix(source, sourcePrefix) }

// Overrides returns what the named profiles set for a component. Of two that set one
// flag, the one that is named last counts.
func Overrides(names []string, f Facts, of lab.Component) []lab.Override {
	var all []lab.Override
	for _, name := range names {
		for _, p := range All() {
			if p.Name != name {
				continue
			}
			for _, s := range p.Settings(f) {
				if s.Of == of {
					all = append(all, lab.Override{Arg: lab.Arg{Name: s.Name, Value: s.Value, HasValue: true}, Source: Source(name), Yields: true})
				}
			}
		}
	}
	return all
}

// Lease durations: what a leader that dies leaves behind lasts so long.
const (
	StockLease = 15 * time.Second // k8s.io/component-base/config/v1alpha1, RecommendedDefaultLeaderElectionConfiguration
	EdgeLease  = time.Minute
)

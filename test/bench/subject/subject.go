// SPDX-License-Identifier: Apache-2.0

// Package subject is what benchmarks measure: the stock daemons with their etcd, one
// process each as in the lab, and khw-controller, each on a root of its own, with
// the ways to measure them.
package subject

import (
	"fmt"
	"slices"
	"strings"
)

// Kind says which one is measured.
type Kind string

// What is measured.
const (
	Stock Kind = "stock"
	KHW   Kind = "khw"
)

// Kinds lists all.
func Kinds() []Kind { return []Kind{Stock, KHW} }

// ParseKind reads a Kind.
func ParseKind(s string) (Kind, error) {
	if k := Kind(s); slices.Contains(Kinds(), k) {
		return k, nil
	}
	return "", fmt.Errorf("nothing called %q is measured; use one of %s", s, joined(Kinds()))
}

func joined(kinds []Kind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// Subject is a control plane with its etcd.
type Subject interface {
	// Start starts all processes, for the first time or again on what they have
	// stored, and returns without waiting.
	Start() error
	// PIDs returns the processes that run now.
	PIDs() []int
	// CPUSeconds is the CPU time of all processes since Start, with that of daemons
	// that have ended and were started again.
	CPUSeconds() (float64, error)
	// Failed returns an error when a process has ended that nobody starts again.
	Failed() error
	// Stop ends all in order, with SIGTERM.
	Stop() error
	// Kill ends all at once, with SIGKILL. It may be called at any time.
	Kill()
}

func (k Kind) on(s Site) Subject {
	if k == Stock {
		return &stock{Site: s}
	}
	return &khw{Site: s}
}

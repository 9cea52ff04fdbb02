// SPDX-License-Identifier: Apache-2.0

// Package fuzz holds the fuzz targets of rooms whose own tests link the whole of
// Kubernetes: go test -fuzz would compile all of it anew, with counters.
package fuzz

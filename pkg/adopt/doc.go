// SPDX-License-Identifier: Apache-2.0

// Package adopt takes over a controller that somebody made by hand after the lab.
// [Read] understands what is there: the three units, nginx and etcd, and what of
// their flags differs from the lab's. [Adopter] puts khw-controller in their place,
// and goes back: every step is recorded before it is made, so that whoever finds
// the [Record] can go on or undo.
//
// It asks nobody else what a flag means: the components' own flag sets compare
// values, and package lab translates old spellings, as for `run`.
package adopt

import "github.com/khw-controller/khw-controller/pkg/lab"

// Units and users that are known by name.
const (
	// OwnUnit is the unit that the packages install, and User whom it runs as.
	OwnUnit = "khw-controller.service"
	User    = "khw-controller"

	nginxUnit = "nginx.service"
	etcdUnit  = "etcd.service"
)

// unitOf is the lab's unit of a component.
func unitOf(c lab.Component) string { return string(c) + ".service" }

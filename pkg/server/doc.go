// SPDX-License-Identifier: Apache-2.0

// Package server is the lab's three units as one process: it wires a plan's
// components together and keeps them running.
//
// [Run] carries a plan.Plan out under a supervisor: etcd, then the apiserver, then
// the controller-manager, the scheduler and the bootstrap, with the health proxy
// beside all of them. What happens is told through the supervisor's events, which
// the log and package lifecycle (the service manager, the health proxy) read;
// the observer gathers the rest of what `status` shows.
package server

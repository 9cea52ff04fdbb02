// SPDX-License-Identifier: Apache-2.0

// Package server is the lab's three units as one process.
//
// A config.Config becomes a [Plan]: every flag of every component, resolved and
// parsed, with nothing started or written. [Check] judges a Plan, and [Run]
// carries it out under a supervisor: etcd, then the apiserver, then the
// controller-manager and the scheduler. What happens is told through the
// supervisor's events, which the log and the service manager read.
package server

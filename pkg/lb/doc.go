// SPDX-License-Identifier: Apache-2.0

// Package lb makes a cloud's load balancer what the lab's chapter 8 wants it to
// be, and nothing but the difference. A Cloud is a list of Resources in the
// order in which they depend on each other. NewPlan reads all of them and
// changes nothing; Plan.Apply makes what is pending, in order; NewDeletion and
// Apply undo it in reverse; Wait watches the balancer's own health checks.
//
// pkg/lb/aws and pkg/lb/gcp are the two Clouds. They know their API and the
// lab's names; this package knows neither.
package lb

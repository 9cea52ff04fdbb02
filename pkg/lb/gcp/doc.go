// SPDX-License-Identifier: Apache-2.0

// Package gcp is the lab's load balancer on Google Compute Engine: an external
// passthrough load balancer with the lab's target pool, or with the regional
// backend service that Google recommends today.
//
// What this program makes bears its mark in the description, the one field that
// all these resources take when they are made. The health check has the lab's
// description instead.
package gcp

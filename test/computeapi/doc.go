// SPDX-License-Identifier: Apache-2.0

// Package computeapi is a counterpart of Google's Compute Engine for tests: an
// HTTP server that keeps the resources of a load balancer and what they refer to
// as the service does, and believes Google's own description of its API. Every
// request is checked against compute-api.json, the discovery document in the
// module google.golang.org/api: paths and methods, parameters and their patterns,
// fields, their types and enums. Every answer is checked too, so that the server
// cannot invent a field.
//
// What the document does not say is from the service's reference and its error
// messages: operations that pass through PENDING and RUNNING, fingerprints, names
// that exist, resources that are in use or not ready, permissions. A method that
// the document has but this server has not is answered with 501.
//
// A test puts networks, addresses and instances there, runs what it tests against
// Endpoint, injects Faults, and reads the Calls that were made.
package computeapi

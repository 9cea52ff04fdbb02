// SPDX-License-Identifier: Apache-2.0

// Package lifecycle tells how the whole is doing, from the supervisor's events and
// what was found besides: the service manager when it starts, is ready, reloads and
// stops ([Lifecycle]), and health checks while the answer is no whatever the
// apiserver says ([Readiness]). Nobody who has news waits for who reads it.
package lifecycle

// SPDX-License-Identifier: Apache-2.0

// Package supervisor keeps the components of one controller running.
//
// What goes in is data: components, each with the names of those it needs and
// a [Runner]. They are started as soon as what they need is up, stopped only
// after everything that needs them has stopped, and every change of state
// becomes an [Event]. Logs, the service manager and `status` are readers of
// those events; the supervisor knows none of them, and waits for none.
//
// A component that is wrapped in [WithRestart] is run again when it fails, also
// when the failure shows elsewhere: [CurrentComponent] tells whose goroutine
// one is on, and [Supervisor.Fault] fails that component's run. A critical
// component that fails ends everything.
//
// Abilities beyond running are optional interfaces ([Readier],
// [HealthChecker], [Drainer]); policies are wrappers ([WithRestart]).
package supervisor

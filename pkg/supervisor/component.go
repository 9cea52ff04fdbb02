// SPDX-License-Identifier: Apache-2.0

package supervisor

import "context"

// Component is one thing to keep running, and what it needs to run.
type Component struct {
	// Name identifies the component in events, e.g. "kube-apiserver".
	Name string
	// Needs names the components that have to be up before this one starts,
	// and that stay until this one has stopped.
	Needs []string
	// Outlives names components that this one does without but is stopped
	// after, so that it can still tell about their stop. A component that outlives
	// others needs none.
	Outlives []string
	// Critical components take the whole control plane down when they end on
	// their own: nothing works without them, and a fresh process is the only
	// honest restart of an etcd or an apiserver.
	Critical bool
	// Accessory components are of use to some only: the control plane is ready
	// without them.
	Accessory bool
	// Runner does the work.
	Runner Runner
}

// Runner runs one component until its context ends.
type Runner interface {
	// Run blocks until ctx has ended and everything it started has stopped,
	// then returns nil. Any other return is a failure. It tells what it has
	// become through report.
	Run(ctx context.Context, report Report) error
}

// Report tells the supervisor what a component has become; detail is for
// people, in one line, and may be empty.
type Report func(state State, detail string)

// Readier is a Runner that can be asked whether it can be used yet. The
// supervisor asks until it says yes and then takes the component for Running.
// A Runner without it reports that itself.
type Readier interface {
	// Ready returns nil once the component can be used, else the reason why not.
	Ready(ctx context.Context) error
}

// HealthChecker is a Runner that can be asked whether it still works.
type HealthChecker interface {
	// Healthy returns nil, or the reason in words.
	Healthy(ctx context.Context) error
}

// Drainer is a Runner that takes leave of those who use it before it is told to end.
type Drainer interface {
	// Drain is called once a stop has begun, while what needs the component stops. The
	// component's context ends when that has stopped and Drain has returned. ctx ends
	// when the component ends by itself.
	Drain(ctx context.Context)
}

// unwrapper is a Runner around another one.
type unwrapper interface {
	Unwrap() Runner
}

// as finds ability T in r or in the Runners that r wraps.
func as[T any](r Runner) (T, bool) {
	for r != nil {
		if t, ok := r.(T); ok {
			return t, true
		}
		w, ok := r.(unwrapper)
		if !ok {
			break
		}
		r = w.Unwrap()
	}
	var none T
	return none, false
}

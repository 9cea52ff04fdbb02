// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"context"
	"time"
)

// Owner is the mark on what this program makes where the cloud has tags or
// labels: the value of the tag OwnerKey.
const (
	OwnerKey = "managed-by"
	Owner    = "khw-controller"
)

// Options are what the load balancers of both clouds have in common.
type Options struct {
	// Region is the cloud's region. Empty: what the cloud's own configuration says.
	Region string
	// Type is one of the cloud's Types.
	Type string
	// Create also makes what the lab takes from its earlier chapters.
	Create bool
	// Instances are the names of the controllers.
	Instances []string
	// Port is where the balancer listens and the API servers too.
	Port int32
	// IdleTimeout is how long a connection may be quiet before the balancer cuts
	// it, and Draining how long connections of an instance that was taken out live
	// on. Both are raised to this where they are less, and never lowered; 0 leaves
	// them as they are.
	IdleTimeout, Draining time.Duration
	// Prune also ends the registrations of instances that are gone or replaced.
	Prune bool
	// RequestTimeout bounds each attempt of each call. Throttled calls, failures
	// of the service and time-outs are tried again, with growing pauses.
	RequestTimeout time.Duration
	// Doing is told, if it is not nil, what is waited for whenever a call or
	// another attempt of it begins, such as "ec2:DescribeVpcs, attempt 2". It may
	// be called by several goroutines at once.
	Doing func(what string)
}

// Tell calls Doing.
func (o Options) Tell(what string) {
	if o.Doing != nil {
		o.Doing(what)
	}
}

// Use is what a run does, for the permissions that it takes.
type Use struct {
	// Change applies the plan; otherwise it is only looked at.
	Change bool
	// Delete plans a deletion.
	Delete bool
	// Health asks for the health of what is behind the balancer: a wait, a status.
	Health bool
}

// Cloud is one load balancer in one cloud, as it should be.
type Cloud interface {
	// Where says in a few words which account's or project's load balancer in
	// which region this is, for the heading of a plan.
	Where() string
	// Resources are all parts of it, each after those that it depends on. It
	// returns the same ones every time: they remember what they read and made.
	Resources() []Resource
	// Stale are, once all Resources were read, the things that bear the mark of
	// this program and are no longer wanted, such as the rule for a range that is
	// not allowed any more, and with Options.Prune the registrations of instances
	// that are gone. Each is a Deleter, unless its State has a Keep; their order is
	// the one to delete them in.
	Stale(ctx context.Context) ([]Resource, error)
	// Address is the DNS name or IP address that clients use, or "" while it has
	// none. It is known once the Resources were read or created.
	Address() string
	// Health asks the balancer about each controller, in the order of
	// Options.Instances, and about whatever else is behind it, after those. The
	// Resources were read before.
	Health(ctx context.Context) ([]InstanceHealth, error)
	// Status is the balancer as clients find it. The Resources were read before,
	// and may have had Problems.
	Status(ctx context.Context) (Status, error)
	// Explain makes an error of the cloud's API one line that says what to do:
	// which permission, which credentials, which quota. Others it returns as they are.
	Explain(err error) error
	// Classify says what an error of the cloud's API means for another attempt.
	Classify(err error) ErrorClass
	// Pace is how patiently an attempt is repeated.
	Pace() Pace
	// Preamble are the lines before those of a plan that is printed as commands:
	// they choose the account or project and the region.
	Preamble() []string
}

// ErrorClass is what an error of a cloud's API means for another attempt.
type ErrorClass string

// The ErrorClasses.
const (
	// ErrorOther is for good, or has been tried often enough.
	ErrorOther ErrorClass = ""
	// ErrorExists is of a creation: there is one of this name.
	ErrorExists ErrorClass = "exists"
	// ErrorNotFound is of a deletion: there is none.
	ErrorNotFound ErrorClass = "not found"
	// ErrorBusy passes: something else is still in use, or another operation is
	// under way, or what was just made is not seen everywhere yet.
	ErrorBusy ErrorClass = "busy"
	// ErrorDenied stays until somebody gives permission or other credentials.
	ErrorDenied ErrorClass = "denied"
)

// Pace is how often an attempt is repeated that fails with ErrorBusy, and for
// how long.
type Pace struct{ Pause, Patience time.Duration }

// Resource is one part of a load balancer that the cloud's API can tell apart: a
// firewall rule, a listener, the membership of one instance. What can be done
// with it says a Creator, an Updater or a Deleter; one that is none of them is
// only looked up.
//
// A Resource may use what the ones before it in Cloud.Resources have read or
// created. Read is called first on all of them in order; then only one of
// Create, Update and Delete, and only if it is needed.
type Resource interface {
	// Kind is the cloud's word for what it is, such as "target pool".
	Kind() string
	// Name is what it is called; unique together with Kind.
	Name() string
	// Read compares what is there with what is wanted. It changes nothing. A
	// resource whose dependency does not exist yet is absent. It is called once
	// more when Create has failed with ErrorExists.
	Read(ctx context.Context) (State, error)
}

// Creator is a Resource that can be made.
type Creator interface {
	Resource
	// Create makes one that Read found absent.
	Create(ctx context.Context) error
}

// Updater is a Resource that can be changed in place.
type Updater interface {
	Resource
	// Update makes one that Read found different as it should be.
	Update(ctx context.Context) error
}

// Deleter is a Resource that can be removed.
type Deleter interface {
	Resource
	// Delete removes one that Read found, and returns when another of its name
	// could be made.
	Delete(ctx context.Context) error
}

// Keeper is a Deleter that has to ask whether it can go: a plan to make it need
// not know.
type Keeper interface {
	Deleter
	// Keep says why a deletion leaves it, or is "". It is called in a deletion only,
	// after all Resources were read, on what would be deleted, and on the later
	// Resources first: what they keep may be what keeps this one.
	Keep(ctx context.Context) (string, error)
}

// Commander is a Resource whose Actions can be written as lines for a shell and
// the cloud's own tool.
type Commander interface {
	Resource
	// Commands are the lines of one Action; none if those of the Resources before it
	// do it too. They may use variables that these have set.
	Commands(action Action) []string
}

// State is what Read found.
type State struct {
	// Exists reports whether it is there at all.
	Exists bool
	// ID is the cloud's own identifier, where it is not the Name.
	ID string
	// Changes are the differences from what is wanted.
	Changes []Change
	// Problem stands in the way of making it as it should be, with the fix: it is
	// absent and not ours to make, or ambiguous, or different in a way that cannot
	// be changed, or nobody would be served. Nothing is applied while any Resource
	// has one.
	Problem string
	// ReadOnly reports that it is only looked up: never changed and never deleted.
	ReadOnly bool
	// Ours reports whether it bears the mark of this program: the tag or the
	// description OwnerKey=Owner, or, for what has neither, being a part of
	// something that bears it. Only what is Ours is ever deleted.
	Ours bool
	// Membership reports that it is the place of one of Options.Instances behind
	// the balancer, which no cloud can mark: a deletion ends it in any case.
	Membership bool
	// Keep says why a deletion leaves it although it is Ours, if it does; see Keeper.
	Keep string
	// Unmanaged are things beside it that are not in the plan and are left alone,
	// each in words: "instance i-0abc is registered too".
	Unmanaged []string
}

// Change is one field that is not what it should be. Old is "" if it is unset,
// New if it should be.
type Change struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// InstanceHealth is what the balancer thinks of one instance behind it.
type InstanceHealth struct {
	// Name is the instance's name, or its ID where it has none.
	Name string `json:"name"`
	// ID is the cloud's own identifier, where it is not the Name.
	ID string `json:"id,omitempty"`
	// InService reports whether it gets traffic.
	InService bool `json:"inService"`
	// State and Reason are the cloud's own words.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Machine is the state of the instance itself, in the cloud's word, and
	// MachineSince since when, where the cloud tells: of the State no cloud does.
	Machine      string     `json:"machine,omitempty"`
	MachineSince *time.Time `json:"machineSince,omitempty"`
	// Ours reports whether it is one of Options.Instances.
	Ours bool `json:"ours"`
}

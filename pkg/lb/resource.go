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
	// RequestTimeout bounds each attempt of each call. Throttled calls, failures
	// of the service and time-outs are tried again, with growing pauses.
	RequestTimeout time.Duration
}

// Cloud is one load balancer in one cloud, as it should be.
type Cloud interface {
	// Where says in a few words which account's, project's or region's load
	// balancer this is, for the heading of a plan.
	Where() string
	// Resources are all parts of it, each after those that it depends on. It
	// returns the same ones every time: they remember what they read and made.
	Resources() []Resource
	// Address is the DNS name or IP address that clients use, or "" while it has
	// none. It is known once the Resources were read or created.
	Address() string
	// Health asks the balancer about each controller, in the order of
	// Options.Instances, and about whatever else is behind it, after those.
	Health(ctx context.Context) ([]InstanceHealth, error)
	// Explain makes an error of the cloud's API one line that says what to do:
	// which permission, which credentials, which quota. Others it returns as they are.
	Explain(err error) error
}

// Resource is one part of a load balancer that the cloud's API can tell apart: a
// firewall rule, a listener, the membership of one instance.
//
// A Resource may use what the ones before it in Cloud.Resources have read or
// created. Read is called first, once, on all of them in order; then only one
// of Create, Update and Delete, and only if it is needed. Each must succeed if
// what it does was done already, so that a run can be repeated after a failure.
type Resource interface {
	// Kind is the cloud's word for what it is, such as "target pool".
	Kind() string
	// Name is what it is called; unique together with Kind.
	Name() string
	// Read compares what is there with what is wanted. It changes nothing. A
	// resource whose dependency does not exist yet is absent.
	Read(ctx context.Context) (State, error)
	// Create makes one that Read found absent.
	Create(ctx context.Context) error
	// Update makes one that Read found different as it should be.
	Update(ctx context.Context) error
	// Delete removes one that Read found, and returns when another of its name
	// could be made.
	Delete(ctx context.Context) error
}

// State is what Read found.
type State struct {
	// Exists says whether it is there at all.
	Exists bool
	// ID is the cloud's own identifier, where it is not the Name.
	ID string
	// Changes are the differences from what is wanted.
	Changes []Change
	// Problem stands in the way of making it as it should be, with the fix: it is
	// absent and not ours to make, or ambiguous, or different in a way that cannot
	// be changed. Nothing is applied while any Resource has one.
	Problem string
	// Given says that it is only looked up: never changed and never deleted.
	Given bool
	// Ours says that it bears the mark of this program.
	Ours bool
	// Keep says why a deletion leaves it although it matches, if it does.
	Keep string
	// Others are things beside it that are not in the plan and are left alone,
	// each in words: "instance i-0abc is registered too".
	Others []string
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
	// Name is the instance's name, or its ID where it is none of the controllers.
	Name string `json:"name"`
	// ID is the cloud's own identifier, where it is not the Name.
	ID string `json:"id,omitempty"`
	// InService says that it gets traffic.
	InService bool `json:"inService"`
	// State and Reason are the cloud's own words.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Ours says that it is one of Options.Instances.
	Ours bool `json:"ours"`
}

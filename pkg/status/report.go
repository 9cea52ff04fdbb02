// SPDX-License-Identifier: Apache-2.0

// Package status is what a controller tells about itself: one [Report], served
// over a unix socket and to other controllers, and shown on one screen. The
// service manager's status line is made of the same words.
package status

import (
	"time"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Health is how a controller is doing as a whole.
type Health string

// The states of health, the best one first.
const (
	Ready    Health = "ready"
	Starting Health = "starting"
	Degraded Health = "degraded" // works, but not all of it
	Stopping Health = "stopping"
	NoAnswer Health = "no answer" // a process that says nothing, or a machine that cannot be reached
	Down     Health = "down"      // no process
)

// ExitCode is the exit code that says h to scripts: 0 ready, 2 down or no answer, 1
// otherwise.
func (h Health) ExitCode() int {
	switch h {
	case Ready:
		return 0
	case Down, NoAnswer:
		return 2
	}
	return 1
}

// Report is how one controller is doing.
type Report struct {
	// Node is the machine's host name.
	Node string `json:"node"`
	// Address is where its apiserver is reached, host:port.
	Address string `json:"address"`
	// At is when the report was made.
	At time.Time `json:"at"`

	Status Health `json:"status"`
	// Summary is the service manager's status line.
	Summary string `json:"summary"`
	// WaitsFor is what a stop waits for, and how long at most, or empty.
	WaitsFor string `json:"waitsFor,omitempty"`
	// Problems are why Status is degraded, beyond the components' own troubles.
	Problems []string `json:"problems"`
	// Warnings are what will be a problem if nobody acts.
	Warnings []string `json:"warnings"`

	// Late are who did not answer in time, and are shown as they were last seen.
	Late []Late `json:"late,omitempty"`

	// Profiles are those that it runs with.
	Profiles []string `json:"profiles,omitempty"`
	// Unaudited says why nothing of what the apiserver is asked is recorded, and what to
	// do; empty where something is.
	Unaudited string `json:"unaudited,omitempty"`

	Versions Versions  `json:"versions"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`

	Components   []supervisor.Status `json:"components"`
	Etcd         Etcd                `json:"etcd"`
	HealthPort   *HealthPort         `json:"healthPort,omitempty"`
	Certificates []Certificate       `json:"certificates"`
	// Files are the files in use that do not hold any more what was loaded.
	Files []File `json:"files,omitempty"`
	// NextStart is what a start would find in the files as they are now, if they
	// are others than at this start.
	NextStart []Foreseen `json:"nextStart,omitempty"`
	// NeedRestart are the keys of the config file that have another value than at
	// the start, as of the last reload.
	NeedRestart []string `json:"needRestart,omitempty"`
	Lab         Lab      `json:"lab"`
	// Controllers are the apiservers of the cluster, host:port, this one
	// included, as last seen.
	Controllers []string `json:"controllers"`
}

// Versions are what runs.
type Versions struct {
	Kubernetes string `json:"kubernetes"`
	Go         string `json:"go"`
}

// Etcd is how the cluster's members are doing, as seen from this controller.
type Etcd struct {
	// Embedded tells that one of the members runs in this process.
	Embedded bool                `json:"embedded"`
	Members  []etcdclient.Member `json:"members"`
	// Error is why the members could not be listed, or empty.
	Error string `json:"error,omitempty"`
}

// HealthPort is the plain-HTTP port for load balancers.
type HealthPort struct {
	Address string `json:"address"`
	// Answer is what it says to /healthz: ok, or why not in one word.
	Answer string `json:"answer"`
	// Checkers is how many check health at an interval and count on the answer, and
	// StopDelay how long a stop would wait for them to notice, at most, in seconds.
	Checkers  int     `json:"checkers"`
	StopDelay float64 `json:"stopDelaySeconds"`
}

// Subject is who is asked for a part of the report.
type Subject string

// The subjects that may be late.
const (
	EtcdMembers  Subject = "etcd"
	HealthChecks Subject = "the health port"
	NextStart    Subject = "the check of the files that have changed"
)

// Late is a Subject that did not answer in time.
type Late struct {
	Of Subject `json:"of"`
	// AsOf is when it answered last; zero for never.
	AsOf time.Time `json:"asOf,omitzero"`
}

// Foreseen is one thing that a start would find.
type Foreseen struct {
	// Refused tells that there would be no start.
	Refused bool `json:"refused"`
	// Finding says what is wrong, and the fix.
	Finding string `json:"finding"`
}

// Certificate is one certificate that the controller uses.
type Certificate struct {
	// Path is the file that holds it, a certificate or a kubeconfig.
	Path    string `json:"path"`
	Subject string `json:"subject"`
	// NotAfter is when it expires.
	NotAfter time.Time `json:"notAfter"`
}

// Lab counts the lab's flags and lists what was set to something else here.
type Lab struct {
	AsInLab int `json:"asInLab"`
	// Changed counts flags that today's Kubernetes forces to differ, or that were
	// added.
	Changed int `json:"changed"`
	// Set are the flags that a user set, as component --name=value.
	Set []string `json:"set"`
}

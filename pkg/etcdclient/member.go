// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Display is what a listed member is called: one that has not started yet has no
// name.
func Display(m *pb.Member) string {
	if m.Name != "" {
		return m.Name
	}
	return fmt.Sprintf("%x", m.ID)
}

// Member is how one member is doing.
type Member struct {
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
	Version  string `json:"version,omitempty"`
	Leader   bool   `json:"leader"`
	Learner  bool   `json:"learner,omitempty"`
	// DBSize and DBInUse are the size of the database on disk and the part of it
	// that is in use, Quota what it may grow to, all in bytes.
	DBSize  int64 `json:"dbSize"`
	DBInUse int64 `json:"dbSizeInUse"`
	Quota   int64 `json:"dbSizeQuota,omitempty"`
	// Behind is how many raft entries the member has yet to apply.
	Behind uint64 `json:"behind"`
	// Alarms are raised by etcd: NOSPACE, CORRUPT.
	Alarms []string `json:"alarms,omitempty"`
	// FsyncP99 is within how many seconds 99 of 100 writes of the log reached the
	// disk during the last FsyncWindow seconds; 0 when nothing was written.
	FsyncP99    float64 `json:"fsyncP99Seconds,omitempty"`
	FsyncWindow float64 `json:"fsyncWindowSeconds,omitempty"`
	// Error is why the member could not be asked, or empty.
	Error string `json:"error,omitempty"`
}

// Role is what a member is to its cluster.
type Role string

// The roles.
const (
	Leader   Role = "leader"
	Follower Role = "follower"
	Learner  Role = "learner" // does not vote
)

// Role returns what m is to its cluster.
func (m Member) Role() Role {
	switch {
	case m.Leader:
		return Leader
	case m.Learner:
		return Learner
	}
	return Follower
}

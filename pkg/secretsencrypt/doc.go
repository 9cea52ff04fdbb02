// SPDX-License-Identifier: Apache-2.0

// Package secretsencrypt moves a cluster from one encryption key to another while
// all controllers serve.
//
// A rotation goes through phases, see [Phase]. In each, every controller has the same
// encryption configuration, and the configurations of two phases that follow each
// other can read what is written with either. The [Rotator], which is a command on
// any controller, publishes the configuration of a phase in the cluster, sealed; the
// [Follower], which runs in every controller, puts it into its file and in force, and
// reports that; the next phase is not published before all have reported.
package secretsencrypt

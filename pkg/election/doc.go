// SPDX-License-Identifier: Apache-2.0

// Package election lets one replica of a component act at a time, and ends
// only that component when its lease is lost.
//
// The stock kube-scheduler and kube-controller-manager leave the process with
// klog.FlushAndExit when they lose their lease
// (cmd/kube-scheduler/app/server.go, Run), (cmd/kube-controller-manager/app/controllermanager.go, Run
// and leaderElectAndRun), which would take the apiserver with them. Here the election is held around
// them, on the stock leases, so that a stock replica and ours exclude each
// other: a [Candidate] prepares a [Term], leads it while the lease is held, and
// is stopped completely before the next term begins. A [Fence] in its clients
// sees to it that nothing is written without the lease. The lease of a [Process] that
// has ended is taken at once, and another's when it has not been renewed for as long as
// it lasts, looked at from the beginning of a preparation on.
package election

// SPDX-License-Identifier: Apache-2.0

// Package bootstrap applies what a cluster needs before anybody uses it: the
// lab's RBAC for the kubelet API, and every manifest in a directory.
//
// Replicas elect a leader by a lease of their own. Each new leader applies
// everything once, by server-side apply, and so corrects what was changed by
// hand; what cannot be applied is tried again until it can. From then on it watches
// what it has applied, and what Kubernetes has by default, and puts back what is
// deleted, or changed in what is ours: in the fields that were applied, or in what
// upstream's reconciliation of RBAC corrects. A manifest that is taken away deletes
// nothing, and its objects are left alone from the next reload on.
package bootstrap

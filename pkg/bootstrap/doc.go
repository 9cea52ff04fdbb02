// SPDX-License-Identifier: Apache-2.0

// Package bootstrap applies what a cluster needs before anybody uses it: the
// lab's RBAC for the kubelet API, and every manifest in a directory.
//
// Replicas elect a leader by a lease of their own. Each new leader applies
// everything once, by server-side apply, and so corrects what was changed by
// hand; what cannot be applied is tried again until it can.
package bootstrap

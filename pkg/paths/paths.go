// SPDX-License-Identifier: Apache-2.0

// Package paths is where everything is: the lab's files under the lab's names,
// and the few of our own. Nothing else in the program knows a path.
package paths

import "path/filepath"

// Path is a path as it is without --root.
type Path string

// Below returns the path below root; an empty root is the file system's.
func (p Path) Below(root string) string { return filepath.Join(root, string(p)) }

// What the lab has an operator make, and where its flags look for it.
const (
	// LabDir is the directory of the lab's certificates, keys and kubeconfigs.
	LabDir Path = "/var/lib/kubernetes"

	CA                Path = LabDir + "/ca.pem"
	CAKey             Path = LabDir + "/ca-key.pem"
	Cert              Path = LabDir + "/kubernetes.pem" // of the apiserver, and its client certificate
	Key               Path = LabDir + "/kubernetes-key.pem"
	ServiceAccount    Path = LabDir + "/service-account.pem"
	ServiceAccountKey Path = LabDir + "/service-account-key.pem"
	EncryptionConfig  Path = LabDir + "/encryption-config.yaml"

	ControllerManagerKubeconfig Path = LabDir + "/kube-controller-manager.kubeconfig"
	SchedulerKubeconfig         Path = LabDir + "/kube-scheduler.kubeconfig"
	AdminKubeconfig             Path = LabDir + "/admin.kubeconfig"

	SchedulerConfig Path = "/etc/kubernetes/config/kube-scheduler.yaml"
	AuditLog        Path = "/var/log/audit.log"
	EtcdDir         Path = "/var/lib/etcd"
)

// What is our own.
const (
	// Config is the config file.
	Config Path = "/etc/kubernetes/config/khw-controller.yaml"
	// Manifests is the directory of what is applied with the lab's RBAC.
	Manifests Path = "/etc/kubernetes/manifests.d"
	// Snapshots is the directory of etcd's snapshots.
	Snapshots Path = "/var/lib/khw-controller/snapshots"
	// StatusSocket is where `khw-controller status` asks.
	StatusSocket Path = "/run/khw-controller.sock"
	// Lock keeps a second process from the same root.
	Lock Path = LabDir + "/khw-controller.lock"
	// Crash is the report of an end that nothing could prevent.
	Crash Path = LabDir + "/khw-controller.crash"
	// Change says that a change of the lab's files is to be finished.
	Change Path = LabDir + "/khw-controller.change"
	// Adoption is the directory in which it is recorded what `adopt` has changed. Only
	// root may write above it: what is undone by root is not for the service to say.
	Adoption Path = "/var/lib/khw-controller.adopt"
	// NextCA and NextCAKey are there while the CA is rotated, NextServiceAccount and
	// NextServiceAccountKey while the key of service account tokens is.
	NextCA                Path = LabDir + "/next-ca.pem"
	NextCAKey             Path = LabDir + "/next-ca-key.pem"
	NextServiceAccount    Path = LabDir + "/next-service-account.pem"
	NextServiceAccountKey Path = LabDir + "/next-service-account-key.pem"
	// AuditPolicy and AdmissionConfig are what a profile has the apiserver read, beside
	// the encryption configuration: the service may not write where the config file is.
	AuditPolicy     Path = LabDir + "/audit-policy.yaml"
	AdmissionConfig Path = LabDir + "/admission-config.yaml"
	// Inventory lists what this program has made.
	Inventory Path = LabDir + "/khw-controller.made"
)

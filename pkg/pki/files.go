// SPDX-License-Identifier: Apache-2.0

// Package pki makes what lab chapters 04 to 06 leave behind: a certificate
// authority, the controller's certificates, kubeconfigs and the encryption
// configuration. It makes all of it or nothing, and never touches a file that
// exists.
package pki

import (
	"path/filepath"
	"slices"
)

// Files are the lab's files, each by its path; one without a path is not wanted.
type Files struct {
	CA, CAKey                         string
	Cert, Key                         string // of the apiserver, and its client certificate
	ServiceAccount, ServiceAccountKey string
	EncryptionConfig                  string
	ControllerManagerKubeconfig       string
	SchedulerKubeconfig               string
	AdminKubeconfig                   string
}

// FilesIn returns the lab's files, under the lab's names, in dir.
func FilesIn(dir string) Files {
	in := func(name string) string { return filepath.Join(dir, name) }
	return Files{
		CA: in("ca.pem"), CAKey: in("ca-key.pem"),
		Cert: in("kubernetes.pem"), Key: in("kubernetes-key.pem"),
		ServiceAccount: in("service-account.pem"), ServiceAccountKey: in("service-account-key.pem"),
		EncryptionConfig:            in("encryption-config.yaml"),
		ControllerManagerKubeconfig: in("kube-controller-manager.kubeconfig"),
		SchedulerKubeconfig:         in("kube-scheduler.kubeconfig"),
		AdminKubeconfig:             in("admin.kubeconfig"),
	}
}

// Required lists what a controller cannot run without: all but the admin's
// kubeconfig, which the lab leaves in its user's home.
func (f Files) Required() []string {
	return slices.DeleteFunc([]string{
		f.CA, f.CAKey, f.Cert, f.Key, f.ServiceAccount, f.ServiceAccountKey,
		f.EncryptionConfig, f.ControllerManagerKubeconfig, f.SchedulerKubeconfig,
	}, func(path string) bool { return path == "" })
}

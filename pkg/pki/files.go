// SPDX-License-Identifier: Apache-2.0

// Package pki makes what lab chapters 04 to 06 leave behind: a certificate
// authority, the controllers' certificates, kubeconfigs and the encryption
// configuration. It makes all of it or nothing, and renews what is there; what it
// replaces is kept beside.
package pki

import (
	"path/filepath"
	"slices"

	"github.com/khw-controller/khw-controller/pkg/paths"
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
	in := func(p paths.Path) string { return filepath.Join(dir, filepath.Base(string(p))) }
	return Files{
		CA: in(paths.CA), CAKey: in(paths.CAKey),
		Cert: in(paths.Cert), Key: in(paths.Key),
		ServiceAccount: in(paths.ServiceAccount), ServiceAccountKey: in(paths.ServiceAccountKey),
		EncryptionConfig:            in(paths.EncryptionConfig),
		ControllerManagerKubeconfig: in(paths.ControllerManagerKubeconfig),
		SchedulerKubeconfig:         in(paths.SchedulerKubeconfig),
		AdminKubeconfig:             in(paths.AdminKubeconfig),
	}
}

// Journal is where it is noted that a change of these files is to be finished.
func (f Files) Journal() string {
	return filepath.Join(filepath.Dir(f.CA), filepath.Base(string(paths.Change)))
}

// Required lists what a controller cannot run without: all but the admin's
// kubeconfig, which the lab leaves in its user's home.
func (f Files) Required() []string {
	return slices.DeleteFunc([]string{
		f.CA, f.CAKey, f.Cert, f.Key, f.ServiceAccount, f.ServiceAccountKey,
		f.EncryptionConfig, f.ControllerManagerKubeconfig, f.SchedulerKubeconfig,
	}, func(path string) bool { return path == "" })
}

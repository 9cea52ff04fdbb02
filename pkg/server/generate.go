// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/pki"
)

// AdminKubeconfig is the admin's kubeconfig, below the root.
const AdminKubeconfig = labDir + "/admin.kubeconfig"

// Files of our own, below the root.
const (
	crashFile = labDir + "/khw-controller.crash"
	lockFile  = labDir + "/khw-controller.lock"
)

func (p *Plan) lockPath() string { return p.Config.Path(lockFile) }

// fresh says whether none of the lab's files is there, so that all of them are
// to be made.
func (p *Plan) fresh() bool {
	for _, path := range p.Files.Required() {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			return false
		}
	}
	return true
}

// generateMissing makes the lab's files where there are none, and the
// directories that components expect, and keeps a list of what was made.
func (p *Plan) generateMissing() error {
	if path := p.auditLog(); path != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("--audit-log-path: %w", err)
		}
	}
	if err := p.claimEtcdData(); err != nil {
		return fmt.Errorf("recording what is made: %w", err)
	}
	if !p.fresh() {
		return nil
	}
	cidr := lab.Get(p.Settings[lab.APIServer], "service-cluster-ip-range")
	serviceIP, err := firstServiceIP(cidr)
	if err != nil {
		return err
	}
	if err := pki.Generate(p.Files, pki.Spec{
		AdvertiseAddress: p.Address.IP,
		ServiceIP:        serviceIP,
		ServerPort:       p.apiServer.SecureServing.BindPort,
	}); err != nil {
		return fmt.Errorf("making the lab's certificates, kubeconfigs and encryption configuration: %w", err)
	}
	made, err := checksums(append(p.Files.Required(), p.Files.AdminKubeconfig))
	if err == nil {
		err = p.recordMade(made)
	}
	if err != nil {
		return fmt.Errorf("recording what was made: %w", err)
	}
	klog.InfoS("Made a certificate authority, certificates, kubeconfigs and an encryption key", "dir", filepath.Dir(p.Files.CA))
	klog.InfoS("To use this control plane: export KUBECONFIG", "KUBECONFIG", p.Files.AdminKubeconfig)
	return nil
}

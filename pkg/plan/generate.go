// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/atomicfiles"
	"github.com/khw-controller/khw-controller/pkg/inventory"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/pki"
)

// GenerateMissing makes the lab's files where there are none, and the
// directories that components expect, and keeps an inventory of what was made.
func (p *Plan) GenerateMissing() error {
	if p.AuditLog.Path != "" {
		if err := os.MkdirAll(filepath.Dir(p.AuditLog.Path), 0o755); err != nil {
			return fmt.Errorf("--audit-log-path: %w", err)
		}
	}
	if err := p.claimEtcdData(); err != nil {
		return fmt.Errorf("recording what is made: %w", err)
	}
	if err := p.makeProfileFiles(); err != nil {
		return err
	}
	if !p.Fresh() {
		return nil
	}
	spec, err := p.pkiSpec()
	if err != nil {
		return err
	}
	if err := pki.Generate(p.Files, spec); err != nil {
		return fmt.Errorf("making the lab's certificates, kubeconfigs and encryption configuration: %w", err)
	}
	entries, err := inventory.Files(append(p.Files.Required(), p.Files.AdminKubeconfig))
	if err == nil {
		err = inventory.Add(p.Path(paths.Inventory), entries)
	}
	if err != nil {
		return fmt.Errorf("recording what was made: %w", err)
	}
	klog.InfoS("Made a certificate authority, certificates, kubeconfigs and an encryption key", "dir", filepath.Dir(p.Files.CA))
	klog.InfoS("To use this control plane: export KUBECONFIG", "KUBECONFIG", p.Files.AdminKubeconfig)
	return nil
}

// claimEtcdData records the embedded member's data as made by this program when
// there is none yet.
func (p *Plan) claimEtcdData() error {
	if p.Etcd == nil {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(p.Etcd.Dir, "member")); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return inventory.Add(p.Path(paths.Inventory), []inventory.Entry{inventory.Directory(filepath.Join(p.Etcd.Dir, "member"))})
}

// pkiSpec says whom the certificates are for.
func (p *Plan) pkiSpec() (pki.Spec, error) {
	serviceIP, err := pki.ServiceIP(p.ServiceRanges[0].Value)
	if err != nil {
		return pki.Spec{}, err
	}
	host, _, err := net.SplitHostPort(p.APIServerAddress())
	if err != nil {
		return pki.Spec{}, fmt.Errorf("--kube-apiserver-arg bind-address: %w", err)
	}
	name, err := os.Hostname()
	if err != nil {
		return pki.Spec{}, fmt.Errorf("naming this controller: %w", err)
	}
	return pki.Spec{
		AdvertiseAddress: p.AdvertiseAddress, Hosts: []string{name}, ServiceIP: serviceIP, ServerHost: host, ServerPort: p.Port,
		Journal: p.Path(paths.Change),
	}, nil
}

// ChangeInterrupted reports whether a change of the lab's files was interrupted, such
// as their making or a renewal, and is to be finished.
func (p *Plan) ChangeInterrupted() bool { return atomicfiles.Interrupted(p.Path(paths.Change)) }

// FinishChange finishes it, and returns the files that it put in place.
func (p *Plan) FinishChange() ([]string, error) { return atomicfiles.Finish(p.Path(paths.Change)) }

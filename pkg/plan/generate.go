// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/klog/v2"
	utilnet "k8s.io/utils/net"

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
	entries, err := checksums(append(p.Files.Required(), p.Files.AdminKubeconfig))
	if err == nil {
		err = p.addToInventory(entries)
	}
	if err != nil {
		return fmt.Errorf("recording what was made: %w", err)
	}
	klog.InfoS("Made a certificate authority, certificates, kubeconfigs and an encryption key", "dir", filepath.Dir(p.Files.CA))
	klog.InfoS("To use this control plane: export KUBECONFIG", "KUBECONFIG", p.Files.AdminKubeconfig)
	return nil
}

// pkiSpec says whom the certificates are for.
func (p *Plan) pkiSpec() (pki.Spec, error) {
	serviceIP, err := firstServiceIP(p.ServiceRanges[0].Value)
	if err != nil {
		return pki.Spec{}, err
	}
	host, _, err := net.SplitHostPort(p.APIServerAddress())
	if err != nil {
		return pki.Spec{}, fmt.Errorf("--kube-apiserver-arg bind-address: %w", err)
	}
	return pki.Spec{AdvertiseAddress: p.AdvertiseAddress, ServiceIP: serviceIP, ServerHost: host, ServerPort: p.Port}, nil
}

// firstServiceIP is the address at which pods reach the apiserver.
func firstServiceIP(ranges string) (net.IP, error) {
	first, _, _ := strings.Cut(ranges, ",")
	cidr, err := utilnet.ParseCIDRs([]string{first})
	if err != nil {
		return nil, fmt.Errorf("--service-cluster-ip-range: %w", err)
	}
	return utilnet.GetIndexedIP(cidr[0], 1)
}

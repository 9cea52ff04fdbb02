// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/bucket"
	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/snapshot"
)

// Bucket is where c has the store of copies of snapshots.
func Bucket(c config.S3) bucket.Config {
	return bucket.Config{Name: c.Bucket, Prefix: c.Prefix, Endpoint: c.Endpoint, Region: c.Region, CAFile: c.CAFile}
}

// SnapshotRemote is where copies of this controller's snapshots go, or nil.
func (p *Plan) SnapshotRemote() *snapshot.Remote {
	if p.Config.SnapshotS3.Bucket == "" {
		return nil
	}
	hostname, _ := os.Hostname()
	hostname, _, _ = strings.Cut(hostname, ".")
	return &snapshot.Remote{Config: Bucket(p.Config.SnapshotS3), Node: cmp.Or(p.Self.Name, hostname, "controller")}
}

// SecretFiles lists the lab's files, and every other file with a certificate or a
// key in force: what a snapshot takes to be served again.
func (p *Plan) SecretFiles() []string {
	f := p.Files
	all := []string{
		p.EncryptionConfig.Path, f.EncryptionConfig, f.CA, f.CAKey, f.Cert, f.Key, f.ServiceAccount, f.ServiceAccountKey,
		f.ControllerManagerKubeconfig, f.SchedulerKubeconfig, f.AdminKubeconfig,
	}
	for _, c := range p.Certificates() {
		all = append(all, c.Path, c.Key)
	}
	var once []string
	for _, path := range all {
		if path != "" && !slices.Contains(once, path) {
			once = append(once, path)
		}
	}
	return once
}

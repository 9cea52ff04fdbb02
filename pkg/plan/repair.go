// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/snapshot"
)

// RepairEtcd says how the data of the embedded member are brought back when they
// are damaged: from the other members, or else from the newest good snapshot.
func (p *Plan) RepairEtcd() string {
	aside := fmt.Sprintf("mv %s/member %s-damaged", p.Etcd.Dir, p.Etcd.Dir)
	restore := p.restore()
	if !p.IsCluster() {
		return "move the data away and restore: " + aside + " && " + restore
	}
	name := p.Self.Name
	return fmt.Sprintf("while most members work, have this one join anew: %s here, khw-controller etcd member remove %s && khw-controller etcd member add %s on another controller, "+
		"and start this one; else restore one snapshot on all of them: %s", aside, name, name, restore)
}

// restore is the command that restores the newest good snapshot.
func (p *Plan) restore() string {
	dir := p.Path(paths.Snapshots)
	root := ""
	if p.Config.Root != "" {
		root = " --root " + p.Config.Root
	}
	newest, ok := snapshot.Newest(dir)
	if !ok {
		return "khw-controller etcd snapshot restore FILE" + root + " (there is none in " + dir + "; take one from elsewhere)"
	}
	return "khw-controller etcd snapshot restore " + newest.Path + root
}

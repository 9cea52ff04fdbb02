// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"k8s.io/klog/v2"
)

// join settles how a member without data starts: as one of those that form a new
// cluster, or into one that is there. One that has data knows its cluster.
func (m *Member) join(ctx context.Context) error {
	peers, err := peersOf(m.config.InitialCluster, m.config.Name)
	if err != nil || len(peers) == 0 || hasData(m.config) || !m.config.IsNewCluster() {
		return err
	}
	views, err := askPeers(ctx, m.config, peers)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(views, func(v view) bool { return v.err == nil && v.formed() })
	if i < 0 {
		return nil // nobody is there yet, or those who are wait for a quorum themselves
	}
	return m.joinExisting(views[i])
}

// joinExisting has the member join the cluster of v, which has to expect it.
func (m *Member) joinExisting(v view) error {
	name, own := m.config.Name, m.config.AdvertisePeerUrls[0].String()
	i := slices.IndexFunc(v.members, func(o membership.Member) bool { return slices.Contains(o.PeerURLs, own) })
	replace := fmt.Sprintf("on %s: khw-controller etcd member add %s", v.name, name)
	switch {
	case i < 0:
		return fmt.Errorf("%s is in a cluster of which %s is no member; %s", v.name, name, replace)
	case len(v.members[i].ClientURLs) > 0:
		return fmt.Errorf("%s is a member already, but its data are not in %s; put them back, or have it join anew, on %s: khw-controller etcd member remove %s && khw-controller etcd member add %s",
			name, m.config.Dir, v.name, name, name)
	case m.forms(v, v.members[i].ID):
		return nil // the others did without it so far
	}
	var members []string
	for _, o := range v.members {
		n := o.Name
		switch {
		case slices.Contains(o.PeerURLs, own):
			n = name
		case n == "":
			n = o.ID.String() // added too, and not started yet
		}
		for _, u := range o.PeerURLs {
			members = append(members, n+"="+u)
		}
	}
	m.config.ClusterState, m.config.InitialCluster = embed.ClusterStateFlagExisting, strings.Join(members, ",")
	klog.InfoS("Joining the etcd cluster", "of", v.name, "cluster", v.cluster)
	return nil
}

// forms reports whether the member is one of those that form the cluster of v, in
// which it has this identity. Of one that was restored from a snapshot it is not,
// whatever its name: that has another identity; nor is it where it was removed and
// added again.
func (m *Member) forms(v view, own types.ID) bool {
	urls, err := types.NewURLsMap(m.config.InitialCluster)
	if err != nil {
		return false
	}
	cluster, err := membership.NewClusterFromURLsMap(zap.NewNop(), m.config.InitialClusterToken, urls)
	return err == nil && cluster.ID() == v.cluster && cluster.Member(own) != nil
}

// hasData reports whether there is a log of the member.
func hasData(cfg *embed.Config) bool { return wal.Exist(walDir(cfg)) }

func walDir(cfg *embed.Config) string {
	if cfg.WalDir != "" {
		return cfg.WalDir
	}
	return filepath.Join(cfg.Dir, "member", "wal")
}

// errForeign is in the error of a member whose data are of another cluster than
// the others'.
var errForeign = errors.New("belong to another cluster")

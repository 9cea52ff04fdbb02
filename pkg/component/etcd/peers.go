// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	"go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp"
)

// peer is another member, by its name and one of its peer URLs.
type peer struct{ name, url string }

// view is what a peer knows of its cluster.
type view struct {
	peer
	cluster types.ID
	members []membership.Member
	err     error
}

// peerTimeout is what a peer may take to answer. One that cannot within it is of
// no use for a quorum either.
const peerTimeout = 2 * time.Second

// peersOf lists the members of an initial cluster but the one called self.
func peersOf(initialCluster, self string) ([]peer, error) {
	urls, err := types.NewURLsMap(initialCluster)
	if err != nil {
		return nil, fmt.Errorf("--etcd-arg initial-cluster: %w", err)
	}
	var peers []peer
	for _, item := range strings.Split(urls.String(), ",") {
		if name, url, _ := strings.Cut(item, "="); name != self {
			peers = append(peers, peer{name, url})
		}
	}
	return peers, nil
}

// Alone reports whether the member is to be the only one of its cluster, so that its
// start waits for nobody.
func (m *Member) Alone() bool {
	peers, err := peersOf(m.config.InitialCluster, m.config.Name)
	return err == nil && len(peers) == 0
}

// askPeers asks all of them at once for their view, as a member that joins does.
func askPeers(ctx context.Context, cfg *embed.Config, peers []peer) ([]view, error) {
	transport, err := rafthttp.NewRoundTripper(cfg.PeerTLSInfo, peerTimeout)
	if err != nil {
		return nil, err
	}
	if t, ok := transport.(*http.Transport); ok {
		defer t.CloseIdleConnections()
	}
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	views := make([]view, len(peers))
	var wg sync.WaitGroup
	for i, p := range peers {
		wg.Go(func() { views[i] = p.view(ctx, transport) })
	}
	wg.Wait()
	return views, nil
}

// view asks one.
func (p peer) view(ctx context.Context, transport http.RoundTripper) view {
	v := view{peer: p}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/members", http.NoBody)
	if err != nil {
		v.err = err
		return v
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		v.err = err
		return v
	}
	defer resp.Body.Close()
	if v.cluster, v.err = types.IDFromString(resp.Header.Get("X-Etcd-Cluster-ID")); v.err == nil {
		v.err = json.NewDecoder(resp.Body).Decode(&v.members)
	}
	return v
}

// formed reports whether the peer's cluster has ever had a quorum: only then is
// known where clients reach anybody.
func (v view) formed() bool {
	for _, m := range v.members {
		if len(m.ClientURLs) > 0 {
			return true
		}
	}
	return false
}

// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Pace of a start.
const (
	// firstLook is how long a member may take before the others are asked: when all
	// are there, nobody is.
	firstLook = 2 * time.Second
	lookEvery = time.Second
)

// awaitQuorum waits until the member serves, which in a cluster takes most of the
// others, and tells whom it waits for.
func (m *Member) awaitQuorum(ctx context.Context, server *embed.Etcd, report supervisor.Report) error {
	look := time.NewTimer(firstLook)
	defer look.Stop()
	for {
		select {
		case <-server.Server.ReadyNotify():
			return nil
		case err := <-server.Err():
			return err
		case <-server.Server.StopNotify():
			return errStopped
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		waiting, err := m.waitsFor(ctx, server)
		if err != nil {
			return err
		}
		if waiting != "" && ctx.Err() == nil {
			report(supervisor.Starting, waiting)
		}
		look.Reset(lookEvery)
	}
}

// waitsFor says who is missing. It is an error when most others are of another
// cluster: to wait is of no use then.
func (m *Member) waitsFor(ctx context.Context, server *embed.Etcd) (string, error) {
	peers := others(server)
	if len(peers) == 0 {
		return "", nil
	}
	views, err := askPeers(ctx, m.config, peers)
	if err != nil {
		return "", err
	}
	var silent, foreign []string
	for _, v := range views {
		switch {
		case v.err != nil:
			silent = append(silent, v.name)
		case v.cluster != server.Server.Cluster().ID():
			foreign = append(foreign, v.name)
		}
	}
	if len(foreign) > (len(peers)+1)/2 {
		return "", fmt.Errorf("the data in %s %w than those of %s; move them away (mv %s/member %s-other), and join theirs: khw-controller etcd member list there",
			m.config.Dir, errForeign, list(foreign), m.config.Dir, m.config.Dir)
	}
	var why []string
	if len(silent) > 0 {
		why = append(why, strings.Join(silent, ", ")+" "+verb(silent, "does", "do")+" not answer")
	}
	if len(foreign) > 0 {
		why = append(why, strings.Join(foreign, ", ")+" "+verb(foreign, "is", "are")+" of another cluster")
	}
	if len(why) == 0 {
		return "waiting for quorum: all members answer and elect a leader", nil
	}
	return "waiting for quorum: " + strings.Join(why, "; "), nil
}

func verb(of []string, one, more string) string {
	if len(of) == 1 {
		return one
	}
	return more
}

// others lists the members that the one that starts knows, but itself.
func others(server *embed.Etcd) []peer {
	var peers []peer
	for _, o := range server.Server.Cluster().Members() {
		if o.ID != server.Server.MemberID() && len(o.PeerURLs) > 0 {
			name := o.Name
			if name == "" {
				name = o.PeerURLs[0]
			}
			peers = append(peers, peer{name, o.PeerURLs[0]})
		}
	}
	slices.SortFunc(peers, func(a, b peer) int { return strings.Compare(a.name, b.name) })
	return peers
}

// settle makes a member that serves a full one of its cluster: one that others
// reach at another address than before tells them so, and a learner that has
// caught up votes.
func (m *Member) settle(ctx context.Context, server *embed.Etcd, report supervisor.Report) error {
	s := server.Server
	if len(m.config.AdvertisePeerUrls) > 0 && !s.IsLearner() {
		if err := m.updateAddress(ctx, server); err != nil {
			return fmt.Errorf("telling the other members this one's address: %w", err)
		}
	}
	for s.IsLearner() {
		report(supervisor.Starting, "joined the cluster as a learner; votes when it has caught up")
		_, err := s.PromoteMember(ctx, uint64(s.MemberID()))
		if err == nil || errors.Is(err, membership.ErrMemberNotLearner) {
			klog.InfoS("The etcd member has caught up and votes")
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-server.Err():
			return err
		case <-s.StopNotify():
			return errStopped
		case <-time.After(lookEvery):
		}
	}
	return nil
}

// onLoopback reports whether only this machine reaches all of the URLs.
func onLoopback(urls []string) bool {
	return !slices.ContainsFunc(urls, func(s string) bool {
		u, err := url.Parse(s)
		ip := net.IP(nil)
		if err == nil {
			ip = net.ParseIP(u.Hostname())
		}
		return !ip.IsLoopback()
	})
}

// updateAddress tells the cluster where this member's peers reach it, where that
// has changed: from the loopback, when a controller is alone no longer.
func (m *Member) updateAddress(ctx context.Context, server *embed.Etcd) error {
	own := types.URLs(m.config.AdvertisePeerUrls).StringSlice()
	known := server.Server.Cluster().Member(server.Server.MemberID())
	if alone := len(others(server)) == 0; !alone && onLoopback(own) {
		return nil // where nobody else would reach it
	}
	if known == nil || slices.Equal(slices.Sorted(slices.Values(known.PeerURLs)), slices.Sorted(slices.Values(own))) {
		return nil
	}
	klog.InfoS("The etcd member is reached elsewhere from now on", "before", known.PeerURLs, "now", own)
	_, err := server.Server.UpdateMember(ctx, membership.Member{ID: server.Server.MemberID(), RaftAttributes: membership.RaftAttributes{PeerURLs: own}})
	return err
}

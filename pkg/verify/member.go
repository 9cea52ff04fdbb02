// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// memberTimeout is how long one member may take; one that hangs must not keep
// the others from being judged.
const memberTimeout = 3 * time.Second

// member is what one member of etcd, asked at url, says.
type member struct {
	url     string
	status  *clientv3.StatusResponse // nil: it does not answer
	members []*etcdserverpb.Member   // as it knows them
	finding *Finding
}

// askMembers asks all at once.
func askMembers(ctx context.Context, urls []string, config *tls.Config) []member {
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	asked := make([]member, len(urls))
	var wg sync.WaitGroup
	for i, u := range urls {
		wg.Go(func() {
			asked[i].url = u
			if err := asked[i].ask(ctx, config); err != nil {
				asked[i].finding = explainMember(u, err)
			}
		})
	}
	wg.Wait()
	return asked
}

// ask asks with what works without a quorum first.
func (m *member) ask(ctx context.Context, config *tls.Config) error {
	if err := shakeHands(ctx, m.url, config); err != nil {
		return err
	}
	client, err := etcdClient(ctx, []string{m.url}, config)
	if err != nil {
		return err
	}
	defer client.Close()
	if m.status, err = client.Status(ctx, m.url); err != nil {
		return err
	}
	list, err := client.MemberList(ctx, clientv3.WithSerializable())
	if err != nil {
		return err
	}
	m.members = list.Members
	// Through the leader, as the apiserver's own check.
	_, err = client.Get(ctx, "health", clientv3.WithCountOnly())
	if status.Code(err) == codes.PermissionDenied {
		return nil
	}
	return err
}

// shakeHands connects once: gRPC hides why a connection fails.
func shakeHands(ctx context.Context, server string, config *tls.Config) error {
	u, err := url.Parse(server)
	if err != nil {
		return err
	}
	var dialer interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = &tls.Dialer{Config: config.Clone()}
	if u.Scheme != "https" {
		dialer = &net.Dialer{}
	}
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	return conn.Close()
}

func explainMember(server string, err error) *Finding {
	kind, words := diagnose(err)
	next := "see etcd's log there: journalctl -u etcd, or journalctl -u khw-controller where it is embedded"
	switch kind {
	case refused:
		next = "start it: systemctl start etcd, or khw-controller where it is embedded"
	case silent:
		next = "see whether the machine and etcd there are up, whether tcp 2379 and 2380 are open between the controllers, and whether most members run"
	case noSuchName, noRoute:
		next = "correct --etcd-servers"
	case wrongCA:
		next = "point --kube-apiserver-arg etcd-cafile to the CA of this etcd"
	case wrongName, outOfDate:
		next = "make its certificate anew, for its address too, as in lab chapter 04"
	case clientCert:
		next = "point --kube-apiserver-arg etcd-certfile to a certificate of the CA that etcd trusts"
	}
	return &Finding{server + " " + words, next}
}

// notAsked returns where to ask the members that those asked know of and that
// are not among them.
func notAsked(asked []member) (urls []string) {
	seen := map[uint64]bool{}
	for _, m := range asked {
		if m.status != nil {
			seen[m.status.Header.MemberId] = true
		}
	}
	for _, m := range asked {
		for _, other := range m.members {
			known := slices.ContainsFunc(asked, func(a member) bool { return slices.Contains(other.ClientURLs, a.url) })
			if !seen[other.ID] && !known && len(other.ClientURLs) > 0 {
				seen[other.ID] = true
				urls = append(urls, other.ClientURLs[0])
			}
		}
	}
	return urls
}

// line says of one member what there is to say.
func (m member) line(listed map[uint64]*etcdserverpb.Member) string {
	id := m.status.Header.MemberId
	name := fmt.Sprintf("%x", id)
	if l := listed[id]; l != nil && l.Name != "" {
		name = l.Name
	}
	health, role := "healthy", "follower"
	if m.finding != nil {
		health = "unhealthy"
	}
	if m.status.Leader == id {
		role = "leader"
	}
	return fmt.Sprintf("%s %s %s, %s, etcd %s, %d kB", name, m.url, health, role, m.status.Version, m.status.DbSize/1024)
}

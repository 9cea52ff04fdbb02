// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
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

// lookAtEtcd wants every member healthy, one leader and no alarm.
func lookAtEtcd(ctx context.Context, t Target) observation {
	config, bad := t.Etcd.tls()
	if bad != nil {
		return observation{findings: []Finding{*bad}}
	}
	asked := askMembers(ctx, t.Etcd.Servers, config)
	asked = append(asked, askMembers(ctx, notAsked(asked), config)...)
	return judgeEtcd(asked)
}

// tls returns how members are spoken to with TLS.
func (e Etcd) tls() (*tls.Config, *Finding) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if e.CA != "" {
		ca, err := os.ReadFile(e.CA)
		if err != nil {
			return nil, &Finding{oneLine(err), "correct --kube-apiserver-arg etcd-cafile, or run as a user who can read it"}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, &Finding{e.CA + " holds no certificate", "correct --kube-apiserver-arg etcd-cafile"}
		}
	}
	if e.Cert != "" {
		pair, err := tls.LoadX509KeyPair(e.Cert, e.Key)
		if err != nil {
			return nil, &Finding{"the client certificate for etcd: " + oneLine(err), "correct --kube-apiserver-arg etcd-certfile and etcd-keyfile, or run as a user who can read them"}
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// client returns a client for some members.
func etcdClient(ctx context.Context, servers []string, config *tls.Config) (*clientv3.Client, error) {
	if !slices.ContainsFunc(servers, func(s string) bool { return strings.HasPrefix(s, "https://") }) {
		config = nil
	}
	return clientv3.New(clientv3.Config{Endpoints: servers, TLS: config, Context: ctx, Logger: zap.NewNop()})
}

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

func judgeEtcd(asked []member) (o observation) {
	leaders := map[uint64]bool{}
	listed := map[uint64]*etcdserverpb.Member{}
	told := map[string]bool{}
	for _, m := range asked {
		if m.finding != nil {
			o.findings = append(o.findings, *m.finding)
		}
		for _, other := range m.members {
			listed[other.ID] = other
		}
		if m.status == nil {
			continue
		}
		leaders[m.status.Leader] = true
		for _, trouble := range m.status.Errors {
			if !told[trouble] { // alarms are the whole cluster's
				told[trouble] = true
				o.find("etcd says: "+strings.TrimSpace(trouble), nextForTrouble(trouble))
			}
		}
	}
	for _, m := range asked {
		if m.status != nil {
			o.output = append(o.output, m.line(listed))
		}
	}
	if len(leaders) > 1 {
		o.find("the members do not agree on a leader", "see whether tcp 2380 is open between all controllers, and run this again")
	}
	for _, other := range listed {
		switch {
		case other.Name == "":
			o.find(fmt.Sprintf("the member at %s was added and has never been started", strings.Join(other.PeerURLs, ",")), "start it, or remove it with etcdctl member remove")
		case other.IsLearner:
			o.find("the member "+other.Name+" is a learner, which does not vote", "etcdctl member promote, once it has caught up")
		}
	}
	return o
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

func nextForTrouble(trouble string) string {
	switch {
	case strings.Contains(trouble, "NOSPACE"):
		return "etcdctl compact and defrag, or raise --etcd-arg quota-backend-bytes, then etcdctl alarm disarm"
	case strings.Contains(trouble, "CORRUPT"):
		return "remove the member, and add it anew with an empty data directory"
	case strings.Contains(trouble, "no leader"):
		return "start the other members: etcd needs more than half of them"
	}
	return "see etcd's log: journalctl -u etcd, or journalctl -u khw-controller where it is embedded"
}

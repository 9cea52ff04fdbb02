// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// member is what one member of etcd, asked at url, says.
type member struct {
	url     string
	status  *clientv3.StatusResponse // nil: it does not answer
	members []*etcdserverpb.Member   // as it knows them
	failure *Failure
}

// askMembers asks all at once.
func askMembers(ctx context.Context, t Target, urls []string) []member {
	ctx, cancel := context.WithTimeout(ctx, etcdclient.MemberTimeout)
	defer cancel()
	asked := make([]member, len(urls))
	var wg sync.WaitGroup
	for i, u := range urls {
		wg.Go(func() {
			asked[i].url = u
			if err := asked[i].ask(ctx, t.Etcd); err != nil {
				asked[i].failure = t.etcdFailure(u, err)
			}
		})
	}
	wg.Wait()
	return asked
}

// ask asks with what works without a quorum first.
func (m *member) ask(ctx context.Context, etcd etcdclient.Config) error {
	if err := etcd.Dial(ctx, m.url); err != nil {
		return err
	}
	client, err := etcd.Client(ctx, m.url)
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
	return etcdclient.CheckQuorum(ctx, client)
}

// etcdFailure is the failure that err, from reaching endpoint, means.
func (t Target) etcdFailure(endpoint string, err error) *Failure {
	p := t.Etcd.Explain(endpoint, err)
	if p.Reason == connerr.Refused && t.EmbeddedEtcd == endpoint {
		return &Failure{p.Error(), t.startIt()}
	}
	return &Failure{p.Error(), p.Fix}
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

// memberHealth is a member's health, as etcdctl calls it.
type memberHealth string

const (
	healthy   memberHealth = "healthy"
	unhealthy memberHealth = "unhealthy"
)

// line says of one member what there is to say.
func (m member) line(listed map[uint64]*etcdserverpb.Member) string {
	id := m.status.Header.MemberId
	name := fmt.Sprintf("%x", id)
	if l := listed[id]; l != nil && l.Name != "" {
		name = l.Name
	}
	health, role := healthy, etcdclient.Follower
	if m.failure != nil {
		health = unhealthy
	}
	switch {
	case m.status.Leader == id:
		role = etcdclient.Leader
	case m.status.IsLearner:
		role = etcdclient.Learner
	}
	return fmt.Sprintf("%s %s %s, %s, etcd %s, %d kB", name, m.url, health, role, m.status.Version, m.status.DbSize/1024)
}

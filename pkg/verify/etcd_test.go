// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// says is the status of a member that takes leader for the leader.
func says(id, leader uint64, errs ...string) *clientv3.StatusResponse {
	return &clientv3.StatusResponse{
		Header: &etcdserverpb.ResponseHeader{MemberId: id}, Leader: leader, Version: "3.7.3", DbSize: 20480, Errors: errs,
	}
}

func listed(id uint64, name, url string) *etcdserverpb.Member {
	return &etcdserverpb.Member{ID: id, Name: name, ClientURLs: []string{url}, PeerURLs: []string{url + "0"}}
}

func TestEtcd(t *testing.T) {
	one, two := listed(1, "etcd-0", "https://a:2379"), listed(2, "etcd-1", "https://b:2379")
	learner := listed(3, "etcd-2", "https://c:2379")
	learner.IsLearner = true
	unstarted := listed(4, "", "https://d:2379")
	both := []*etcdserverpb.Member{one, two}
	for name, test := range map[string]struct {
		asked         []member
		problem, next string
	}{
		"all well":     {[]member{{"https://a:2379", says(1, 1), both, nil}, {"https://b:2379", says(2, 1), both, nil}}, "", ""},
		"no leader":    {[]member{{"https://a:2379", says(1, 0, "etcdserver: no leader"), both, nil}}, "no leader", "more than half"},
		"two leaders":  {[]member{{"https://a:2379", says(1, 1), both, nil}, {"https://b:2379", says(2, 2), both, nil}}, "do not agree", "2380"},
		"a full disk":  {[]member{{"https://a:2379", says(1, 1, "memberID:1 alarm:NOSPACE "), both, nil}}, "alarm:NOSPACE", "quota-backend-bytes"},
		"corruption":   {[]member{{"https://a:2379", says(1, 1, "memberID:1 alarm:CORRUPT "), both, nil}}, "CORRUPT", "empty data directory"},
		"one down":     {[]member{{"https://a:2379", says(1, 1), both, nil}, {"https://b:2379", nil, nil, &Failure{"https://b:2379 refuses", "start it"}}}, "https://b:2379 refuses", "start it"},
		"a learner":    {[]member{{"https://a:2379", says(1, 1), []*etcdserverpb.Member{one, learner}, nil}}, "etcd-2 is a learner", "promote"},
		"never joined": {[]member{{"https://a:2379", says(1, 1), []*etcdserverpb.Member{one, unstarted}, nil}}, "https://d:23790 was added and has never been started", "member remove"},
	} {
		t.Run(name, func(t *testing.T) { wants(t, evaluateMembers(test.asked), test.problem, test.next) })
	}
	r := evaluateMembers([]member{{"https://a:2379", says(1, 1), both, nil}, {"https://b:2379", says(2, 1), both, nil}})
	want := []string{"etcd-0 https://a:2379 healthy, leader, etcd 3.7.3, 20 kB", "etcd-1 https://b:2379 healthy, follower, etcd 3.7.3, 20 kB"}
	if !slices.Equal(r.output, want) {
		t.Errorf("got %q, want %q", r.output, want)
	}
	alarmed := []member{{"https://a:2379", says(1, 1, "alarm:NOSPACE"), both, nil}, {"https://b:2379", says(2, 1, "alarm:NOSPACE"), both, nil}}
	if r := evaluateMembers(alarmed); len(r.failures) != 1 {
		t.Errorf("an alarm is told %d times", len(r.failures))
	}
}

func TestMembersThatNobodyNamedAreAskedToo(t *testing.T) {
	all := []*etcdserverpb.Member{listed(1, "etcd-0", "https://a:2379"), listed(2, "etcd-1", "https://b:2379"), {ID: 3}}
	asked := []member{{url: "https://127.0.0.1:2379", status: says(1, 1), members: all}}
	if got := notAsked(asked); !slices.Equal(got, []string{"https://b:2379"}) {
		t.Errorf("got %q", got)
	}
	asked = append(asked, member{url: "https://b:2379", failure: &Failure{"down", "start it"}})
	if got := notAsked(asked); got != nil {
		t.Errorf("one that was asked and is down is asked again: %q", got)
	}
}

func TestMembersThatCannotBeReached(t *testing.T) {
	f, others := files(t, 6443), files(t, 6443)
	serve := func(address string) string {
		return serveTLS(t, listen(t, address), f, http.NotFoundHandler()).Listener.Addr().String()
	}
	there, misnamed := serve("127.0.0.1:0"), serve("127.0.0.2:0")
	own := etcdclient.Config{CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key}
	with := func(c etcdclient.Config, endpoint string) etcdclient.Config {
		c.Endpoints = []string{endpoint}
		return c
	}
	for name, test := range map[string]struct {
		etcd          etcdclient.Config
		problem, next string
	}{
		"nobody":       {with(own, "https://"+nobody(t)), "nobody listens there", "systemctl start etcd"},
		"wrong name":   {with(own, "https://"+misnamed), "does not name it; the certificate names kubernetes", "lab chapter 04"},
		"wrong CA":     {with(etcdclient.Config{CAFile: others.CA}, "https://"+there), "of another CA", "etcd-cafile"},
		"no such name": {with(own, "https://etcd.invalid:2379"), "is not a name", "--etcd-servers"},
		"a missing CA": {with(etcdclient.Config{CAFile: f.CA + ".gone"}, "https://"+there), ".gone", "etcd-cafile"},
		"no CA":        {with(etcdclient.Config{CAFile: f.EncryptionConfig}, "https://"+there), "holds no certificate", "etcd-cafile"},
		"no key":       {with(etcdclient.Config{CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key + ".gone"}, "https://"+there), ".gone cannot be read", "etcd-keyfile"},
		"hung":         {with(own, "https://"+listen(t, "127.0.0.1:0").Addr().String()), "does not answer within 3s", "whether most members run"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			r := checkEtcd(ctx, Target{Etcd: test.etcd})
			wants(t, r, test.problem, test.next)
			for _, f := range r.failures {
				if strings.Contains(f.Problem+f.Next, "BEGIN") {
					t.Errorf("%q shows a file", f)
				}
			}
		})
	}
}

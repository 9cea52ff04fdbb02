// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
)

// fakeMember is a member of etcd that holds one value under every key, or fails
// to read any.
type fakeMember struct {
	pb.UnimplementedKVServer
	pb.UnimplementedClusterServer
	pb.UnimplementedMaintenanceServer
	value   string
	err     error
	members []*pb.Member
}

func (m *fakeMember) Range(context.Context, *pb.RangeRequest) (*pb.RangeResponse, error) {
	if m.err != nil {
		return nil, m.err
	}
	return &pb.RangeResponse{Header: &pb.ResponseHeader{}, Kvs: []*mvccpb.KeyValue{{Value: []byte(m.value)}}}, nil
}

func (m *fakeMember) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	return &pb.StatusResponse{Header: &pb.ResponseHeader{MemberId: 1}, Leader: 1, Version: "3.7.3", DbSize: 20480}, nil
}

func (m *fakeMember) MemberList(context.Context, *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	return &pb.MemberListResponse{Header: &pb.ResponseHeader{}, Members: m.members}, nil
}

// serve serves without TLS and returns how the member is reached.
func (m *fakeMember) serve(t *testing.T) etcdclient.Config {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	s := grpc.NewServer()
	pb.RegisterKVServer(s, m)
	pb.RegisterClusterServer(s, m)
	pb.RegisterMaintenanceServer(s, m)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return etcdclient.Config{Endpoints: []string{"http://" + l.Addr().String()}}
}

func TestMembersAreAsked(t *testing.T) {
	m := &fakeMember{}
	etcd := m.serve(t)
	url := etcd.Endpoints[0]
	m.members = []*pb.Member{listed(1, "etcd-0", url), listed(2, "etcd-1", "http://"+nobody(t))}
	missing := m.members[1].ClientURLs[0]
	for name, test := range map[string]struct {
		err      error
		output   string
		problems []string
	}{
		"one of two": {nil, "etcd-0 " + url + " healthy, leader, etcd 3.7.3, 20 kB", []string{missing + " refuses the connection"}},
		"no quorum":  {rpctypes.ErrGRPCNoLeader, "etcd-0 " + url + " unhealthy, leader, etcd 3.7.3, 20 kB", []string{url + " does not answer within 3s; it may have no leader", missing}},
	} {
		t.Run(name, func(t *testing.T) {
			m.err = test.err
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			r := checkEtcd(ctx, Target{Etcd: etcd})
			if !slices.Equal(r.output, []string{test.output}) {
				t.Errorf("shows %q, want %q", r.output, test.output)
			}
			if len(r.failures) != len(test.problems) {
				t.Fatalf("got %v, want %q", r.failures, test.problems)
			}
			for i, p := range test.problems {
				if !strings.HasPrefix(r.failures[i].Problem, p) || r.failures[i].Next == "" {
					t.Errorf("got %v, want %q", r.failures[i], p)
				}
			}
		})
	}
}

func TestNoSecretIsWrittenThatCouldNotBeRead(t *testing.T) {
	api := newFakeAPI(t)
	api.answers["POST /api/v1/namespaces/kube-system/secrets"] = &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}}
	m := &fakeMember{value: "k8s:enc:aescbc:v1:key1:\x00"}
	target := Target{Kubeconfig: api.files.AdminKubeconfig, Etcd: m.serve(t), EtcdPrefix: "/registry"}
	r := checkEncryption(t.Context(), target)
	wants(t, r, "", "")
	if !strings.HasPrefix(r.output[0], "/registry/secrets/kube-system/"+TestSecretPrefix) {
		t.Errorf("shows %q", r.output)
	}
	methods := func() (all []string) {
		for _, a := range api.asked {
			method, _, _ := strings.Cut(a, " ")
			all = append(all, method)
		}
		return all
	}
	if got := methods(); !slices.Equal(got, []string{http.MethodPost, http.MethodDelete}) {
		t.Errorf("it asked %q", api.asked)
	}
	api.asked = nil
	m.err = rpctypes.ErrGRPCNoLeader
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	wants(t, checkEncryption(ctx, target), "etcd, to be read,", "the step etcd members")
	if len(api.asked) > 0 {
		t.Errorf("it asked %q", api.asked)
	}
}

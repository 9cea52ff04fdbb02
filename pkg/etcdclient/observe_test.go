// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"context"
	"net"
	"reflect"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// cluster is what its members say of it and of themselves.
type cluster struct {
	pb.UnimplementedClusterServer
	members []*pb.Member
	alarms  []*pb.AlarmMember
}

func (c *cluster) MemberList(_ context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	if r.Linearizable {
		return nil, context.DeadlineExceeded // as without a quorum
	}
	return &pb.MemberListResponse{Header: &pb.ResponseHeader{}, Members: c.members}, nil
}

// maintenance is one member's own state.
type maintenance struct {
	pb.UnimplementedMaintenanceServer
	cluster *cluster
	status  *pb.StatusResponse
}

func (m maintenance) Alarm(context.Context, *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	return &pb.AlarmResponse{Header: &pb.ResponseHeader{}, Alarms: m.cluster.alarms}, nil
}

func (m maintenance) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	return m.status, nil
}

// join adds a member to the cluster and returns its URL.
func (c *cluster) join(t *testing.T, name string, status *pb.StatusResponse) string {
	t.Helper()
	url, _ := c.start(t, listen(t), name, status)
	return url
}

// start adds a member that listens on l.
func (c *cluster) start(t *testing.T, l net.Listener, name string, status *pb.StatusResponse) (url string, stop func()) {
	t.Helper()
	s := grpc.NewServer()
	pb.RegisterClusterServer(s, c)
	pb.RegisterMaintenanceServer(s, maintenance{cluster: c, status: status})
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	url = "http://" + l.Addr().String()
	c.members = append(c.members, &pb.Member{ID: status.Header.MemberId, Name: name, ClientURLs: []string{url}})
	return url, s.Stop
}

func TestObserve(t *testing.T) {
	c := &cluster{}
	b := c.join(t, "b", &pb.StatusResponse{Header: &pb.ResponseHeader{MemberId: 2}, Leader: 1, Version: "3.7.3", RaftIndex: 90, RaftAppliedIndex: 90})
	a := c.join(t, "a", &pb.StatusResponse{Header: &pb.ResponseHeader{MemberId: 1}, Leader: 1, Version: "3.7.3", RaftIndex: 100, RaftAppliedIndex: 99, DbSize: 3, DbSizeInUse: 2, DbSizeQuota: 9})
	lost := c.join(t, "c", &pb.StatusResponse{Header: &pb.ResponseHeader{MemberId: 3}, Version: "3.7.3"})
	closed := listen(t)
	closed.Close()
	down := "http://" + closed.Addr().String()
	c.members = append(c.members, &pb.Member{ID: 4, Name: "d", ClientURLs: []string{down}}, &pb.Member{ID: 0xe, IsLearner: true})
	c.alarms = []*pb.AlarmMember{{MemberID: 2, Alarm: pb.AlarmType_NOSPACE}}
	o := NewObserver(Config{Endpoints: []string{a, b}})
	defer o.Close()
	got, err := o.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Member{
		{Name: "e", Learner: true, Error: "has not started yet"},
		{Name: "a", Endpoint: a, Version: "3.7.3", Leader: true, DBSize: 3, DBInUse: 2, Quota: 9, Behind: 1},
		{Name: "b", Endpoint: b, Version: "3.7.3", Behind: 10, Alarms: []string{"NOSPACE"}},
		{Name: "c", Endpoint: lost, Version: "3.7.3", Error: "knows no leader; more than half of the members have to be up"},
		{Name: "d", Endpoint: down, Error: down + " refuses the connection: nobody listens there"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestObserveSaysThatNobodyAnswers(t *testing.T) {
	closed := listen(t)
	closed.Close()
	url := "http://" + closed.Addr().String()
	if _, err := NewObserver(Config{Endpoints: []string{url}}).Observe(t.Context()); err == nil || !strings.Contains(err.Error(), "no member answers: "+url+" refuses the connection") {
		t.Errorf("got %v", err)
	}
	if _, err := NewObserver(Config{Endpoints: []string{url}, CAFile: "/nowhere/ca.pem"}).Observe(t.Context()); err == nil || !strings.Contains(err.Error(), "/nowhere/ca.pem cannot be read") {
		t.Errorf("got %v", err)
	}
}

// TestAMemberThatIsBackIsSeenAtOnce takes a member away and brings it back at the
// same address, between two questions and for one of them.
func TestAMemberThatIsBackIsSeenAtOnce(t *testing.T) {
	c := &cluster{}
	url, stop := c.start(t, listen(t), "a", &pb.StatusResponse{Header: &pb.ResponseHeader{MemberId: 1}, Leader: 1})
	o := NewObserver(Config{Endpoints: []string{url}})
	defer o.Close()
	asks := func(when, want string) {
		t.Helper()
		got, err := o.Observe(t.Context())
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) || err == nil && got[0].Error != "" {
			t.Errorf("%s: %+v, %v", when, got, err)
		}
	}
	asks("at first", "")
	again := func() {
		t.Helper()
		l, err := net.Listen("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		c.members = nil
		_, stop = c.start(t, l, "a", &pb.StatusResponse{Header: &pb.ResponseHeader{MemberId: 1}, Leader: 1})
	}
	stop()
	again()
	asks("over a connection that is closed", "")
	stop()
	asks("while it is away", "refuses the connection")
	again()
	asks("once it is back", "")
}

func TestAMemberThatTakesConnectionsAndSaysNothingIsNotCalledDead(t *testing.T) {
	o := NewObserver(Config{})
	defer o.Close()
	l := listen(t)
	url := "http://" + l.Addr().String()
	err := o.call(t.Context(), url, func(ctx context.Context, _ *grpc.ClientConn) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if err == nil || !strings.Contains(err.Error(), url+" takes connections and does not answer within 3s") {
		t.Errorf("got %v", err)
	}
}

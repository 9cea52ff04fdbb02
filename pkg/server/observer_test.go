// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	restclient "k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/lifecycle"
	"github.com/khw-controller/khw-controller/pkg/notify"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

var errNotServing = errors.New("not serving yet")

func notServing() (*restclient.Config, error) { return nil, errNotServing }

// observed is a plan with the lab's files and what an observer of it needs.
func observed(t *testing.T, c config.Config) (*plan.Plan, *lifecycle.Lifecycle, func() []supervisor.Status) {
	t.Helper()
	c.Root, c.AdvertiseAddress = t.TempDir(), "192.0.2.10"
	p, err := plan.New(t.Context(), &c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := p.GenerateMissing(); err != nil {
		t.Fatal(err)
	}
	statuses := []supervisor.Status{
		{Component: etcdName, State: supervisor.Starting},
		{Component: string(lab.APIServer), State: supervisor.Running},
		{Component: string(lab.Scheduler), State: supervisor.Leading, Restarts: 2},
	}
	l := lifecycle.New(notify.Notifier{}, statuses, new(lifecycle.Readiness))
	t.Cleanup(l.Close)
	return p, l, func() []supervisor.Status { return statuses }
}

// closed closes the socket of an observer that does not run.
func closed(t *testing.T, o *observer) {
	t.Cleanup(func() {
		if o.socket != nil {
			o.socket.Close()
		}
	})
}

func TestTheReportTellsOfEverything(t *testing.T) {
	health := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("etcd"))
	}))
	defer health.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("labelSelector") != "kubernetes.io/service-name=kubernetes" {
			t.Errorf("asked for %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		slice := func(ip string) discoveryv1.EndpointSlice {
			return discoveryv1.EndpointSlice{
				Endpoints: []discoveryv1.Endpoint{{Addresses: []string{ip}}},
				Ports:     []discoveryv1.EndpointPort{{Port: ptr.To(int32(6443))}},
			}
		}
		list := discoveryv1.EndpointSliceList{Items: []discoveryv1.EndpointSlice{slice("192.0.2.11"), slice("192.0.2.10"), slice("192.0.2.10")}}
		list.TypeMeta = metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSliceList"}
		_ = json.NewEncoder(w).Encode(list)
	}))
	defer api.Close()
	p, l, statuses := observed(t, config.Config{
		HealthzBindAddress: strings.TrimPrefix(health.URL, "http://"),
		Args: map[lab.Component][]lab.Override{lab.APIServer: {
			{Arg: lab.ParseArg("event-ttl=2h"), Source: config.FromFlag},
		}},
	})
	serving := false
	client := func() (*restclient.Config, error) {
		if !serving {
			return notServing()
		}
		return &restclient.Config{Host: api.URL}, nil
	}
	o, err := newObserver(p, statuses, client, l, newFileWatch(p, nil), noDeparture())
	if err != nil {
		t.Fatal(err)
	}
	closed(t, o)
	if r := o.look(t.Context(), time.Minute); len(r.Controllers) != 0 {
		t.Errorf("before the apiserver serves, the controllers are %v", r.Controllers)
	}
	serving = true
	r := o.look(t.Context(), time.Minute)
	if want := []string{"192.0.2.10:6443", "192.0.2.11:6443"}; !slices.Equal(r.Controllers, want) {
		t.Errorf("the controllers are %v, want %v", r.Controllers, want)
	}
	if host, _ := os.Hostname(); r.Node != host || r.Address != "192.0.2.10:6443" || r.PID != os.Getpid() || !r.Etcd.Embedded {
		t.Errorf("the report is of %s, %s, process %d, embedded %v", r.Node, r.Address, r.PID, r.Etcd.Embedded)
	}
	if r.HealthPort == nil || r.HealthPort.Answer != "etcd" {
		t.Errorf("the health port is %+v", r.HealthPort)
	}
	if len(r.Etcd.Members) != 0 || r.Etcd.Error != "" {
		t.Errorf("an etcd that is not up was asked: %+v", r.Etcd)
	}
	if !slices.Equal(r.Lab.Set, []string{"kube-apiserver --event-ttl=2h"}) || r.Lab.AsInLab == 0 || r.Lab.Changed == 0 {
		t.Errorf("the lab's flags are %+v", r.Lab)
	}
	var files []string
	for _, c := range r.Certificates {
		files = append(files, strings.TrimPrefix(c.Path, p.Path(paths.LabDir)+"/"))
	}
	slices.Sort(files)
	want := []string{"admin.kubeconfig", "ca.pem", "kube-controller-manager.kubeconfig", "kube-scheduler.kubeconfig", "kubernetes.pem"}
	if !slices.Equal(files, want) {
		t.Errorf("the certificates are in %v, want %v", files, want)
	}
	if r.Status != status.Starting || !strings.HasPrefix(r.Summary, "starting: etcd starting, kube-apiserver running") {
		t.Errorf("it is %s: %s", r.Status, r.Summary)
	}
	api.Close()
	if r := o.look(t.Context(), time.Minute); len(r.Controllers) != 2 {
		t.Errorf("without an answer, the controllers are %v", r.Controllers)
	}
}

func TestTheReportIsServedAndTheSocketGoes(t *testing.T) {
	p, l, statuses := observed(t, config.Config{})
	o, err := newObserver(p, statuses, notServing, l, newFileWatch(p, nil), noDeparture())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); o.run(ctx) }()
	socket := p.Path(paths.StatusSocket)
	r, err := status.AskSocket(t.Context(), socket)
	if err != nil || r.Address != "192.0.2.10:6443" || r.HealthPort != nil {
		t.Errorf("got %+v, %v", r, err)
	}
	cancel()
	<-done
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

func TestASocketThatCannotBeHadIsTold(t *testing.T) {
	p, l, statuses := observed(t, config.Config{})
	socket := p.Path(paths.StatusSocket)
	if err := os.MkdirAll(socket, 0o755); err != nil { // a directory in its place
		t.Fatal(err)
	}
	var o *observer
	logged(t, func() {
		var err error
		if o, err = newObserver(p, statuses, notServing, l, newFileWatch(p, nil), noDeparture()); err != nil {
			t.Fatal(err)
		}
	})
	r := o.look(t.Context(), time.Minute)
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "khw-controller status does not work here: "+socket) {
		t.Errorf("the warnings are %v", r.Warnings)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.run(ctx) // without a socket
}

func TestEtcdThatDoesNotAnswerIsAProblem(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody is there now
	p, life, _ := observed(t, config.Config{})
	p.Etcd, p.EtcdAccess.Endpoints = nil, []string{"https://" + l.Addr().String()}
	up := func() []supervisor.Status {
		return []supervisor.Status{{Component: string(lab.APIServer), State: supervisor.Running}}
	}
	o, err := newObserver(p, up, notServing, life, newFileWatch(p, nil), noDeparture())
	if err != nil {
		t.Fatal(err)
	}
	closed(t, o)
	r := o.look(t.Context(), time.Minute)
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "no member answers: https://"+l.Addr().String()+" refuses the connection") {
		t.Errorf("the problems are %v", r.Problems)
	}
}

// TestWhoIsSlowIsToldAsLastSeen has an etcd and an apiserver that take every
// connection and say nothing, for which a client would wait again and again.
func TestWhoIsSlowIsToldAsLastSeen(t *testing.T) {
	p, life, _ := observed(t, config.Config{HealthzBindAddress: silent(t)})
	p.Etcd, p.EtcdAccess.Endpoints = nil, []string{"https://" + silent(t)}
	up := func() []supervisor.Status {
		return []supervisor.Status{{Component: string(lab.APIServer), State: supervisor.Running}}
	}
	o, err := newObserver(p, up, func() (*restclient.Config, error) { return &restclient.Config{Host: silent(t)}, nil }, life, newFileWatch(p, nil), noDeparture())
	if err != nil {
		t.Fatal(err)
	}
	closed(t, o)
	o.port.question.last, o.port.question.lastAt = "etcd", time.Now().Add(-time.Minute)
	begun := time.Now()
	r := o.report(t.Context())
	if took := time.Since(begun); took < patience || took > portTimeout {
		t.Errorf("it took %s, want little more than %s", took, patience)
	}
	want := []string{
		"etcd is slow: no answer within 400ms; nothing is known of it yet",
		"the health port is slow: no answer within 400ms; what is shown of it is 60s old",
	}
	if len(r.Problems) != 0 || !slices.Equal(r.Warnings, want) || r.HealthPort.Answer != "etcd" {
		t.Errorf("the problems are %q, the warnings %q, the health port %+v", r.Problems, r.Warnings, r.HealthPort)
	}
}

// silent returns the address of somebody who takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestTheMetricsOfTheController(t *testing.T) {
	p, l, statuses := observed(t, config.Config{})
	o, err := newObserver(p, statuses, notServing, l, newFileWatch(p, nil), noDeparture())
	if err != nil {
		t.Fatal(err)
	}
	closed(t, o)
	o.look(t.Context(), time.Minute)
	o.etcd.last.Members = []etcdclient.Member{{Name: "a", Alarms: []string{"NOSPACE"}}, {Name: "b", Error: "knows no leader"}, {Name: "b"}}
	const want = `
# HELP khw_clock_skew_seconds How far the clocks of the other controllers are from this one's, at most.
# TYPE khw_clock_skew_seconds gauge
khw_clock_skew_seconds 0
# HELP khw_component_leading Whether a component holds its leader lease.
# TYPE khw_component_leading gauge
khw_component_leading{component="etcd"} 0
khw_component_leading{component="kube-apiserver"} 0
khw_component_leading{component="kube-scheduler"} 1
# HELP khw_component_restarts_total How often a component was started again after a failure.
# TYPE khw_component_restarts_total counter
khw_component_restarts_total{component="etcd"} 0
khw_component_restarts_total{component="kube-apiserver"} 0
khw_component_restarts_total{component="kube-scheduler"} 2
# HELP khw_component_up Whether a component is up and works.
# TYPE khw_component_up gauge
khw_component_up{component="etcd"} 0
khw_component_up{component="kube-apiserver"} 1
khw_component_up{component="kube-scheduler"} 1
# HELP khw_etcd_member_alarm Whether a member of etcd raises an alarm: NOSPACE or CORRUPT.
# TYPE khw_etcd_member_alarm gauge
khw_etcd_member_alarm{alarm="CORRUPT",member="a"} 0
khw_etcd_member_alarm{alarm="CORRUPT",member="b"} 0
khw_etcd_member_alarm{alarm="NOSPACE",member="a"} 1
khw_etcd_member_alarm{alarm="NOSPACE",member="b"} 0
# HELP khw_etcd_member_up Whether a member of etcd answers this controller and has a leader.
# TYPE khw_etcd_member_up gauge
khw_etcd_member_up{member="a"} 1
khw_etcd_member_up{member="b"} 0
# HELP khw_status Whether the controller is as the word says: ready, starting, degraded or stopping.
# TYPE khw_status gauge
khw_status{status="degraded"} 0
khw_status{status="ready"} 0
khw_status{status="starting"} 1
khw_status{status="stopping"} 0
`
	if err := testutil.CollectAndCompare(o, strings.NewReader(want), "khw_clock_skew_seconds", "khw_component_leading", "khw_component_restarts_total",
		"khw_component_up", "khw_etcd_member_alarm", "khw_etcd_member_up", "khw_status"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(o, "khw_certificate_expiration_timestamp_seconds"); n != 5 {
		t.Errorf("%d certificates, want 5", n)
	}
}

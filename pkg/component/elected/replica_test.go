// SPDX-License-Identifier: Apache-2.0

package elected

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/tools/cache"
	certutil "k8s.io/client-go/util/cert"
	componentbaseconfig "k8s.io/component-base/config"
	"k8s.io/component-base/configz"

	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

const configzName = "elected-test"

// term is a Term that registers a page, as the stock components do.
type term struct {
	prepare error
	closed  bool
	leading chan struct{}
	end     func() // called when it stops leading, or nil
}

func (t *term) Prepare(context.Context, *election.Fence) error {
	if _, err := configz.New(configzName); err != nil {
		return err
	}
	return t.prepare
}

func (t *term) Lead(ctx context.Context, _ func()) error {
	close(t.leading)
	<-ctx.Done()
	if t.end != nil {
		t.end()
	}
	return nil
}

func (t *term) Close() { t.closed = true }

func report(supervisor.State, string) {}

// alone is a replica without an election.
func alone(serving *genericapiserver.SecureServingInfo) *Replica {
	return New(Config{Component: lab.Scheduler, ConfigzName: configzName, SecureServing: serving})
}

// lead runs r with the one term until that leads or failed; stop ends it and
// returns its result.
func lead(t *testing.T, r *Replica, one *term) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		result <- r.Run(ctx, func(name *cache.InformerName) Term {
			if name.Name() != string(lab.Scheduler) {
				t.Errorf("the informers are named %q", name.Name())
			}
			return one
		}, report)
	}()
	select {
	case <-one.leading:
	case err := <-result:
		result <- err
	}
	return func() error {
		cancel()
		return <-result
	}
}

func TestProcessWideNamesAreGivenBackAfterEveryTerm(t *testing.T) {
	for i, prepare := range []error{nil, errors.New("no kubeconfig"), nil} {
		one := &term{prepare: prepare, leading: make(chan struct{})}
		if err := lead(t, alone(nil), one)(); !errors.Is(err, prepare) {
			t.Errorf("term %d: got %v, want %v", i, err, prepare)
		}
		if !one.closed {
			t.Errorf("term %d was not closed", i)
		}
	}
}

func TestThePortIsOpenWhateverIsBehindIt(t *testing.T) {
	cert, key, err := certutil.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	content, err := dynamiccertificates.NewStaticCertKeyContent("test", cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	get := func() string {
		resp, err := client.Get("https://" + l.Addr().String())
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(resp.StatusCode, " ", string(body))
	}
	r := alone(&genericapiserver.SecureServingInfo{Listener: l, Cert: content, DisableHTTP2: true})
	atTheEnd := ""
	stop := lead(t, r, &term{leading: make(chan struct{}), end: func() { atTheEnd = get() }})
	if got := get(); got != "503 starting\n" {
		t.Errorf("before Serve: %q", got)
	}
	for _, want := range []string{"standby", "leader"} {
		r.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, want) }))
		if got := get(); got != "200 "+want {
			t.Errorf("got %q, want %s", got, want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if atTheEnd != "200 leader" {
		t.Errorf("while the term ended: %q", atTheEnd)
	}
	if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func TestTheLeaseIsCheckedOnlyWhereThereIsOne(t *testing.T) {
	for elect, want := range map[bool]int{true: 1, false: 0} {
		r := New(Config{LeaderElection: componentbaseconfig.LeaderElectionConfiguration{LeaderElect: elect}})
		if got := len(r.HealthChecks()); got != want {
			t.Errorf("with leaderElect %v there are %d checks, want %d", elect, got, want)
		}
	}
}

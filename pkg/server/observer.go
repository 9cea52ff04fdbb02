// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/component-base/version"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// observeEvery is how often everything is looked at when nobody asks: often
// enough for a status line, and next to nothing in CPU time.
const observeEvery = time.Minute

// observer gathers what the controller tells about itself: one report, shown at
// the socket, to other controllers, in the status line and in the metrics.
type observer struct {
	plan      *plan.Plan
	statuses  func() []supervisor.Status
	client    func() (*restclient.Config, error) // of the local apiserver
	lifecycle *lifecycle
	etcd      *etcdclient.Observer
	node      string
	started   time.Time
	socket    net.Listener // nil where there is none
	unserved  string       // why there is none, or empty

	mu           sync.Mutex
	controllers  []string // as last seen
	certificates []status.Certificate
}

// newObserver opens the status socket and returns the observer, which has to be
// closed. A socket that cannot be had is a problem that the status line tells,
// and no reason not to run.
func newObserver(p *plan.Plan, statuses func() []supervisor.Status, client func() (*restclient.Config, error), l *lifecycle) (*observer, error) {
	node, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming this controller: %w", err)
	}
	o := &observer{
		plan: p, statuses: statuses, client: client, lifecycle: l,
		etcd: etcdclient.NewObserver(p.EtcdAccess), node: node, started: time.Now(),
	}
	if o.socket, err = status.Listen(p.Path(paths.StatusSocket)); err != nil {
		klog.ErrorS(err, "khw-controller status will not work here")
		o.unserved = fmt.Sprintf("khw-controller status does not work here: %v", err)
		o.socket = nil
	}
	return o, nil
}

// run answers at the socket, and looks at everything every minute until ctx ends,
// so that the status line and the metrics tell what no event does: a full disk, a
// lost member, a certificate about to expire.
func (o *observer) run(ctx context.Context) {
	if o.socket != nil {
		defer o.socket.Close()
		go func() {
			if err := status.Serve(o.socket, o.report); err != nil {
				klog.ErrorS(err, "Serving the status socket")
			}
		}()
	}
	tick := time.NewTicker(observeEvery)
	defer tick.Stop()
	for {
		o.report(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// report looks at everything at once; it takes less than 3 s.
func (o *observer) report(ctx context.Context) *status.Report {
	r := &status.Report{
		Node:       o.node,
		Address:    net.JoinHostPort(o.plan.AdvertiseAddress.String(), strconv.Itoa(o.plan.Port)),
		At:         time.Now(),
		Versions:   status.Versions{Kubernetes: version.Get().GitVersion, Go: runtime.Version()},
		PID:        os.Getpid(),
		Started:    o.started,
		Components: o.statuses(),
		Etcd:       status.Etcd{Embedded: o.plan.Etcd != nil},
		Lab:        labCount(o.plan),
	}
	var wg sync.WaitGroup
	if etcdRuns(r.Components) {
		wg.Go(func() {
			members, err := o.etcd.Observe(ctx)
			if r.Etcd.Members = members; err != nil {
				r.Etcd.Error = err.Error()
			}
		})
	}
	wg.Go(func() { r.HealthPort = healthPort(ctx, o.plan.HealthAddress()) })
	wg.Go(func() { o.findControllers(ctx) })
	r.Certificates = certificates(o.plan)
	wg.Wait()
	o.mu.Lock()
	r.Controllers, o.certificates = slices.Clone(o.controllers), r.Certificates
	o.mu.Unlock()
	r.Problems, r.Warnings = status.Findings(r)
	if o.unserved != "" {
		r.Warnings = append(r.Warnings, o.unserved)
	}
	o.lifecycle.onFindings(r.Problems, r.Warnings)
	r.Status, r.Summary = o.lifecycle.status()
	return r
}

// etcdRuns reports whether there is an etcd to ask: an embedded one has to be up.
func etcdRuns(components []supervisor.Status) bool {
	for _, c := range components {
		if c.Component == etcdName {
			return c.State.Up()
		}
	}
	return true
}

// labCount counts what became of the lab's flags here.
func labCount(p *plan.Plan) status.Lab {
	out := status.Lab{Set: []string{}}
	for _, r := range lab.Rows(p.Flags, p.Dropped) {
		switch {
		case r.Source != "" && r.Source != lab.FromLab && r.Source != lab.FromAdded && r.Source != plan.FromEmbeddedEtcd && r.Status != lab.Replaced:
			out.Set = append(out.Set, fmt.Sprintf("%s %s", r.Component, r.Arg()))
		case r.Status == lab.Kept:
			out.AsInLab++
		default:
			out.Changed++
		}
	}
	return out
}

// peersTimeout is what the apiserver may take to list the controllers.
const peersTimeout = time.Second

// findControllers remembers where the cluster's apiservers are. Without an
// answer, what was known stays.
func (o *observer) findControllers(ctx context.Context) {
	config, err := o.client()
	if err != nil {
		return // not serving yet
	}
	config.Timeout = peersTimeout
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return
	}
	found, err := apiServers(ctx, client)
	if err != nil || len(found) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.controllers = found
}

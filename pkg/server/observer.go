// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/component-base/version"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/lifecycle"
	"github.com/khw-controller/khw-controller/pkg/paths"
	"github.com/khw-controller/khw-controller/pkg/peers"
	"github.com/khw-controller/khw-controller/pkg/plan"
	"github.com/khw-controller/khw-controller/pkg/preflight"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// observeEvery is how often everything is looked at when nobody asks: often
// enough for a status line, and next to nothing in CPU time.
const observeEvery = time.Minute

// patience is how long a report waits for those who are slow. With it, `status`
// answers within 1 s.
const patience = 400 * time.Millisecond

// observer gathers what the controller tells about itself: one report, shown at
// the socket, to other controllers, in the status line and in the metrics.
type observer struct {
	plan      *plan.Plan
	statuses  func() []supervisor.Status
	client    func() (*restclient.Config, error) // of the local apiserver
	lifecycle *lifecycle.Lifecycle
	members   *etcdclient.Observer
	port      *portWatch // nil where there is no health port
	departure *departure
	files     *fileWatch
	node      string
	started   time.Time
	strain    strain
	// rotation warns of a rotation of the encryption key, or returns "".
	rotation func() string
	socket   net.Listener // nil where there is none
	unserved string       // why there is none, or empty

	// etcd and controllers are what the others know, who may be slow to say so.
	etcd        question[status.Etcd]
	controllers question[[]string]
	// webhooks is where admission webhooks are configured, by their names.
	webhooks question[map[string][]string]
	// held is the webhook that a lease is refused by, tried by itself.
	held question[string]
	// stored is what this controller cannot read of what is stored.
	stored question[[]string]
	// skew is how far the other controllers' clocks are from this one's.
	skew question[preflight.Skew]

	mu           sync.Mutex
	certificates []status.Certificate
}

// newObserver opens the status socket and returns the observer, which has to be
// closed. A socket that cannot be had is a problem that the status line tells,
// and no reason not to run.
func newObserver(p *plan.Plan, statuses func() []supervisor.Status, client func() (*restclient.Config, error), l *lifecycle.Lifecycle, files *fileWatch, d *departure) (*observer, error) {
	node, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming this controller: %w", err)
	}
	access, err := p.EtcdAccess.Loaded()
	if err != nil {
		access = p.EtcdAccess // which will say the same of itself
	}
	o := &observer{
		files: files,
		plan:  p, statuses: statuses, client: client, lifecycle: l,
		members: etcdclient.NewObserver(access), node: node, started: time.Now(),
		port: newPortWatch(p.HealthAddress(), l.OnHealthPort), departure: d,
		rotation: func() string { return "" },
	}
	o.etcd.timeout, o.etcd.put = etcdclient.ObserveTimeout, o.askEtcd
	o.controllers.timeout, o.controllers.put = peersTimeout, o.findControllers
	o.webhooks.timeout, o.webhooks.put = peersTimeout, o.findWebhooks
	o.held.timeout, o.held.put = tryTimeout, o.findHolding
	o.stored.timeout, o.stored.put = storedTimeout, o.findUnreadable
	o.skew.timeout, o.skew.put = storedTimeout, o.findSkew
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
	defer o.members.Close()
	if o.port != nil {
		watched := make(chan struct{})
		defer func() { <-watched }()
		go func() { defer close(watched); o.port.run(ctx) }()
	}
	tick := time.NewTicker(observeEvery)
	defer tick.Stop()
	for {
		o.look(ctx, etcdclient.ObserveTimeout)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// report tells everything within 1 s. What does not answer in time is told as it
// was last seen.
func (o *observer) report(ctx context.Context) *status.Report { return o.look(ctx, patience) }

// look looks at everything at once, and waits no longer for anything than
// patience.
func (o *observer) look(ctx context.Context, patience time.Duration) *status.Report {
	r := &status.Report{
		Node:       o.node,
		Address:    o.plan.AdvertisedAddress(),
		At:         time.Now(),
		Versions:   status.Versions{Kubernetes: version.Get().GitVersion, Go: runtime.Version()},
		PID:        os.Getpid(),
		Started:    o.started,
		Components: o.statuses(),
		Profiles:   o.plan.Config.Profiles,
		Unaudited:  o.plan.Unaudited(),
		Lab:        labCount(o.plan),
	}
	o.ask(ctx, r, patience)
	refusals := o.refusals(ctx, r.Components, patience-time.Since(r.At))
	o.mu.Lock()
	o.certificates = r.Certificates
	o.mu.Unlock()
	problems, warnings := status.Findings(r)
	problems = append(refusals, problems...)
	if etcdRuns(r.Components) {
		problems = append(problems, o.storedProblems(ctx, patience-time.Since(r.At))...)
	}
	warnings = slices.Concat(warnings, preflight.Cramped(o.plan), o.skewWarnings(ctx, r, patience-time.Since(r.At)), o.strain.warnings(r))
	if isWaiting(r.Components) {
		problems = nil // what is waited for is told by who waits, and is no trouble yet
	}
	for _, w := range []string{o.rotation(), o.unserved} {
		if w != "" {
			warnings = append(warnings, w)
		}
	}
	o.lifecycle.OnFindings(problems, warnings)
	r.Status, r.Summary = o.lifecycle.Status()
	r.WaitsFor = o.lifecycle.WaitsFor()
	r.Problems = append(o.lifecycle.HealthPortProblems(), problems...)
	r.Warnings = append(status.Unanswered(r, patience), warnings...)
	return r
}

// ask puts all questions at once, and notes who does not answer in time.
func (o *observer) ask(ctx context.Context, r *status.Report, patience time.Duration) {
	var wg sync.WaitGroup
	var etcdAt, portAt time.Time
	etcdAsked := etcdRuns(r.Components)
	if etcdAsked {
		wg.Go(func() { r.Etcd, etcdAt = o.etcd.answer(ctx, patience) })
	}
	if o.port != nil {
		wg.Go(func() {
			verdict, at := o.port.question.answer(ctx, patience)
			if at.IsZero() {
				verdict = notYetSaid
			}
			checkers, delay := o.departure.foreseen()
			r.HealthPort, portAt = &status.HealthPort{
				Address: o.port.address, Answer: string(verdict), Checkers: checkers, StopDelay: delay.Seconds(),
			}, at
		})
	}
	wg.Go(func() { r.Controllers, _ = o.controllers.answer(ctx, patience) })
	r.Certificates = certificates(o.plan)
	o.files.look(ctx, r, patience)
	wg.Wait()
	r.Etcd.Embedded = o.plan.Etcd != nil
	if etcdAsked && etcdAt.Before(r.At) {
		r.Late = append(r.Late, status.Late{Of: status.EtcdMembers, AsOf: etcdAt})
	}
	if o.port != nil && portAt.Before(r.At) {
		r.Late = append(r.Late, status.Late{Of: status.HealthChecks, AsOf: portAt})
	}
}

// askEtcd asks the members how they are.
func (o *observer) askEtcd(ctx context.Context) status.Etcd {
	members, err := o.members.Observe(ctx)
	if err != nil {
		return status.Etcd{Error: err.Error()}
	}
	return status.Etcd{Members: members}
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
	out := status.Lab{Set: p.SetHere()}
	for _, r := range lab.Rows(p.Flags, p.Dropped) {
		switch {
		case plan.IsSetHere(r):
		case r.Status == lab.Kept:
			out.AsInLab++
		default:
			out.Changed++
		}
	}
	return out
}

// peersTimeout is what the apiserver may take to list the controllers.
const peersTimeout = 3 * time.Second

// findControllers returns where the cluster's apiservers are. Without an answer,
// what was known stays. It is ctx that bounds it: the time-out of a rest.Config is
// that of one attempt, and an apiserver without storage asks for more of them.
func (o *observer) findControllers(ctx context.Context) []string {
	known, _ := o.controllers.known()
	config, err := o.client()
	if err != nil {
		return known // not serving yet
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return known
	}
	found, err := peers.APIServers(ctx, client)
	if err != nil || len(found) == 0 {
		return known
	}
	return found
}

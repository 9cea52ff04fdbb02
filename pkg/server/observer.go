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
	"strings"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/version"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/component/apiserver"
	"github.com/khw-controller/khw-controller/pkg/component/metrics"
	"github.com/khw-controller/khw-controller/pkg/etcdclient"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// observeEvery is how often everything is looked at when nobody asks: often
// enough for a status line, and next to nothing in CPU time.
const observeEvery = time.Minute

// observer gathers what the controller tells about itself.
type observer struct {
	plan       *Plan
	supervisor *supervisor.Supervisor
	apiServer  *apiserver.Server
	story      *story
	etcd       *etcdclient.Observer
	node       string
	started    time.Time
	unserved   string // why there is no socket, or empty

	mu           sync.Mutex
	controllers  []string // as last seen
	certificates []status.Certificate
}

func newObserver(p *Plan, s *supervisor.Supervisor, a *apiserver.Server, story *story) (*observer, error) {
	node, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming this controller: %w", err)
	}
	settings := p.Settings[lab.APIServer]
	return &observer{
		plan: p, supervisor: s, apiServer: a, story: story, node: node, started: time.Now(),
		etcd: etcdclient.NewObserver(etcdclient.Config{
			Endpoints: strings.Split(lab.Get(settings, "etcd-servers"), ","),
			CAFile:    lab.Get(settings, "etcd-cafile"),
			CertFile:  lab.Get(settings, "etcd-certfile"),
			KeyFile:   lab.Get(settings, "etcd-keyfile"),
		}),
	}, nil
}

// StatusSocket is where `khw-controller status` asks, below the root.
const StatusSocket = "/run/khw-controller.sock"

// serve shows the report at the socket and on the apiserver, and watches until
// the returned function is called. A socket that cannot be had is a problem that
// the status line tells, and no reason not to run.
func (o *observer) serve(socket string) (stop func()) {
	o.apiServer.SetPage(status.Path, status.Handler(o.report))
	o.apiServer.SetPage(metrics.Path, metrics.Page(lab.APIServer))
	legacyregistry.Registerer().MustRegister(o)
	ctx, cancel := context.WithCancel(context.Background())
	l, err := status.Listen(socket)
	if err != nil {
		klog.ErrorS(err, "khw-controller status will not work here")
		o.unserved = fmt.Sprintf("khw-controller status does not work here: %v", err)
		l = nil
	} else {
		go func() {
			if err := status.Serve(l, o.report); err != nil {
				klog.ErrorS(err, "Serving the status socket")
			}
		}()
	}
	go o.watch(ctx)
	return func() {
		cancel()
		if l != nil {
			l.Close()
		}
	}
}

// watch looks at everything every minute until ctx ends, so that the status line
// and the metrics tell what no event does: a full disk, a lost member, a
// certificate about to expire.
func (o *observer) watch(ctx context.Context) {
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
		Address:    net.JoinHostPort(o.plan.Address.IP.String(), strconv.Itoa(o.plan.apiServer.SecureServing.BindPort)),
		At:         time.Now(),
		Versions:   status.Versions{Kubernetes: version.Get().GitVersion, Go: runtime.Version()},
		PID:        os.Getpid(),
		Started:    o.started,
		Components: o.supervisor.Statuses(),
		Etcd:       status.Etcd{Embedded: o.plan.Etcd != nil},
		Lab:        o.plan.labCount(),
	}
	var wg sync.WaitGroup
	if o.etcdRuns(r.Components) {
		wg.Go(func() {
			members, err := o.etcd.Observe(ctx)
			if r.Etcd.Members = members; err != nil {
				r.Etcd.Error = err.Error()
			}
		})
	}
	wg.Go(func() { r.HealthPort = o.healthPort(ctx) })
	wg.Go(func() { o.findControllers(ctx) })
	r.Certificates = o.plan.certificates()
	wg.Wait()
	o.mu.Lock()
	r.Controllers, o.certificates = slices.Clone(o.controllers), r.Certificates
	o.mu.Unlock()
	r.Problems, r.Warnings = status.Findings(r)
	if o.unserved != "" {
		r.Warnings = append(r.Warnings, o.unserved)
	}
	o.story.onFindings(r.Problems, r.Warnings)
	r.Status, r.Summary = o.story.words()
	return r
}

// etcdRuns says whether there is an etcd to ask: an embedded one has to be up.
func (o *observer) etcdRuns(components []supervisor.Status) bool {
	for _, c := range components {
		if c.Component == etcdName {
			return c.State.Up()
		}
	}
	return true
}

// peersTimeout is what the apiserver may take to list the controllers.
const peersTimeout = time.Second

// findControllers remembers where the cluster's apiservers are, which is what the
// kubernetes service leads to. Without an answer, what was known stays.
func (o *observer) findControllers(ctx context.Context) {
	config, err := o.apiServer.LoopbackClient()
	if err != nil {
		return // not serving yet
	}
	config.Timeout = peersTimeout
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return
	}
	found, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=kubernetes",
	})
	if err != nil || len(found.Items) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.controllers = addresses(found.Items)
}

func addresses(all []discoveryv1.EndpointSlice) []string {
	var out []string
	for _, s := range all {
		for _, e := range s.Endpoints {
			for _, p := range s.Ports {
				if p.Port != nil && len(e.Addresses) > 0 {
					out = append(out, net.JoinHostPort(e.Addresses[0], strconv.Itoa(int(*p.Port))))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	v1core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	componentbaseconfig "k8s.io/component-base/config"

	"github.com/khw-controller/khw-controller/pkg/defaults"
	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// LeaseName is the lease, in kube-system, whose holder applies.
const LeaseName = "khw-bootstrap"

// leaseTimings are slower than the stock components': nothing here is worth two
// writes a second in an idle cluster. An orderly stop hands over at once all the
// same.
var leaseTimings = componentbaseconfig.LeaderElectionConfiguration{
	LeaderElect:       true,
	LeaseDuration:     metav1.Duration{Duration: 30 * time.Second},
	RenewDeadline:     metav1.Duration{Duration: 20 * time.Second},
	RetryPeriod:       metav1.Duration{Duration: 10 * time.Second},
	ResourceLock:      resourcelock.LeasesResourceLock,
	ResourceName:      LeaseName,
	ResourceNamespace: metav1.NamespaceSystem,
}

// Config says what is applied, and where.
type Config struct {
	// Client is how the local apiserver is reached, by somebody who may do
	// everything: a ClusterRole can be given only by who has what is in it.
	Client func() (*restclient.Config, error)
	// KubeletClientCertificate is the path of the apiserver's client certificate
	// for kubelets; its common name is the user whom the kubelet RBAC binds.
	// Empty: there is none, and no binding.
	KubeletClientCertificate string
	// ManifestsDir is where more manifests are. It need not exist.
	ManifestsDir string
	// Process is the one that it runs in.
	Process election.Process
}

// Bootstrap is the Runner that applies. It is unhealthy while something is not
// applied.
type Bootstrap struct {
	config Config
	again  chan struct{} // holds a request to apply everything again

	mu       sync.Mutex
	problems []error       // of applying
	unkept   map[key]error // what cannot be put back
}

// New returns the Bootstrap for c.
func New(c Config) *Bootstrap {
	return &Bootstrap{config: c, again: make(chan struct{}, 1), unkept: map[key]error{}}
}

// Reapply has the leader read the manifests and apply everything again, if this
// is the leader.
func (b *Bootstrap) Reapply() {
	select {
	case b.again <- struct{}{}:
	default: // it is requested already
	}
}

// Run contends for the lease until ctx ends, and applies when it has it.
func (b *Bootstrap) Run(ctx context.Context, report supervisor.Report) error {
	config, err := b.config.Client()
	if err != nil {
		return err
	}
	config = restclient.AddUserAgent(restclient.CopyConfig(config), FieldManager)
	client, err := election.NewClient(config, leaseTimings.RenewDeadline.Duration)
	if err != nil {
		return err
	}
	if awaitNamespace(ctx, client) != nil {
		return nil // stopped before there was one
	}
	events, recorder, err := startEvents(ctx, config)
	if err != nil {
		return err
	}
	defer events.Shutdown()
	runner, err := election.NewRunner(election.Config{
		LeaderElectionConfiguration: leaseTimings,
		Client:                      client,
		Recorder:                    recorder,
		Process:                     b.config.Process,
	}, &candidate{Bootstrap: b, client: config, recorder: recorder, report: report})
	if err != nil {
		return err
	}
	return runner.Run(ctx, report)
}

// awaitNamespace waits for the lease's namespace, which a new cluster's apiserver
// makes when it serves already: an elector that found none would look again only
// after its retry period.
func awaitNamespace(ctx context.Context, client kubernetes.Interface) error {
	return wait.PollUntilContextCancel(ctx, namespacePoll, true, func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Namespaces().Get(ctx, leaseTimings.ResourceNamespace, metav1.GetOptions{})
		return err == nil, nil
	})
}

const namespacePoll = 200 * time.Millisecond

// manyEvents is more than there are default objects.
const manyEvents = 300

func startEvents(ctx context.Context, config *restclient.Config) (record.EventBroadcaster, record.EventRecorder, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	broadcaster := record.NewBroadcaster(record.WithContext(ctx), record.WithCorrelatorOptions(record.CorrelatorOptions{
		// Many objects may be put back at once, and all are told of one.
		MaxEvents: manyEvents, BurstSize: manyEvents,
	}))
	broadcaster.StartRecordingToSink(&v1core.EventSinkImpl{Interface: client.CoreV1().Events("")})
	return broadcaster, broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: FieldManager}), nil
}

// Healthy returns what is not applied, in one line, or nil. A standby has
// nothing to apply.
func (b *Bootstrap) Healthy(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	problems := slices.Concat(b.problems, slices.SortedFunc(maps.Values(b.unkept), func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }))
	switch len(problems) {
	case 0:
		return nil
	case 1:
		return problems[0]
	}
	return fmt.Errorf("%w, and %d more", problems[0], len(problems)-1)
}

// set takes what cannot be applied.
func (b *Bootstrap) set(problems []error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = problems
}

// setKept takes why an object cannot be put back, or that it could.
func (b *Bootstrap) setKept(which key, problem error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if problem == nil {
		delete(b.unkept, which)
		return
	}
	b.unkept[which] = problem
}

// forget forgets all problems.
func (b *Bootstrap) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = nil
	clear(b.unkept)
}

// candidate makes the terms of one Bootstrap.
type candidate struct {
	*Bootstrap
	client   *restclient.Config
	recorder record.EventRecorder
	report   supervisor.Report
}

// Prepare makes the clients of a term.
func (c *candidate) Prepare(_ context.Context, fence *election.Fence) (election.Term, error) {
	config := restclient.CopyConfig(c.client)
	config.Wrap(fence.Wrap)
	a, err := newApplier(config)
	if err != nil {
		return nil, err
	}
	watching, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &term{
		candidate: c, apply: a.apply, resourceOf: a.resourceOf, metadata: watching,
		defaults: func(ctx context.Context) ([]defaults.Object, error) {
			// Upstream's code for roles takes no context: what a webhook holds must not hold a stop.
			bound := restclient.CopyConfig(config)
			bound.Wrap(election.Until(ctx).Wrap)
			client, err := kubernetes.NewForConfig(bound)
			if err != nil {
				return nil, err
			}
			return append(defaults.Roles(client), defaults.PriorityClasses(client)...), nil
		},
	}, nil
}

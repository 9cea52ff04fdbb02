// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	componentbaseconfig "k8s.io/component-base/config"
	"k8s.io/klog/v2"

	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Candidate is a component of which one replica may act at a time.
type Candidate interface {
	// Prepare gets ready for a term without acting: it starts informers and
	// fills caches. Every client that the term will write with has to pass
	// through fence. ctx ends with the term.
	Prepare(ctx context.Context, fence *Fence) (Term, error)
}

// Term is one prepared term of a Candidate.
type Term interface {
	// Lead acts until ctx ends and everything it started has stopped. It calls
	// acting once it does: what fails before that has never led.
	Lead(ctx context.Context, acting func()) error
	// Close gives back what Prepare took. It is called once, after Lead
	// returned or, when the lease was never won, instead of it.
	Close()
}

// Config says which lease to contend for and how.
type Config struct {
	// LeaderElectionConfiguration holds the lease's namespace and name and the
	// timings, as the component's stock flags set them.
	componentbaseconfig.LeaderElectionConfiguration
	// Client reads and writes the lease; it must not pass through a Fence.
	Client kubernetes.Interface
	// Recorder records who became leader, or is nil.
	Recorder resourcelock.EventRecorder
	// WatchDog is told of the current elector, for a health check.
	WatchDog *leaderelection.HealthzAdaptor
	// Health is told how the lease is doing; nil: nobody wants to know.
	Health *LeaseHealth
	// Process is the one that the replica is in; zero: nothing is known of it.
	Process Process
	// Hindered returns what keeps the Candidate from its work, or nil; nil: nothing
	// is known to.
	Hindered func(context.Context) error
}

// Process tells holders of leases apart by the process that they are in. Its ID is in
// the identity of each.
type Process struct {
	ID string
	// Predecessor is the ID of a process that has ended, or empty. Nobody else holds a
	// lease of it, so that nobody has to wait for that to run out.
	Predecessor string
}

// identity returns a new one, which begins as that of the stock components.
func (p Process) identity(host string) string {
	if p.ID == "" {
		return host + "_" + string(uuid.NewUUID())
	}
	return host + "_" + p.ID + "-" + utilrand.String(5)
}

// hasEnded reports whether holder is known to act no more.
func (p Process) hasEnded(holder string) bool {
	return p.Predecessor != "" && strings.Contains(holder, "_"+p.Predecessor+"-")
}

// NewClient returns a client for Config: a renewal that hangs is given up after
// half the renew deadline, as resourcelock.NewFromKubeconfig does it.
func NewClient(kubeconfig *restclient.Config, renewDeadline time.Duration) (kubernetes.Interface, error) {
	c := *kubeconfig
	c.Timeout = max(renewDeadline/2, time.Second)
	return kubernetes.NewForConfig(restclient.AddUserAgent(&c, "leader-election"))
}

// NewRunner returns a Runner that contends for the lease and leads the
// Candidate's terms, one after the other, until its context ends. It returns an
// error only when the Candidate itself failed.
func NewRunner(config Config, candidate Candidate) (supervisor.Runner, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming this replica for its leases: %w", err)
	}
	if config.Health == nil {
		config.Health = new(LeaseHealth)
	}
	return &runner{
		Config:      config,
		candidate:   candidate,
		identity:    config.Process.identity(host),
		stopTimeout: supervisor.StopTimeout,
	}, nil
}

type runner struct {
	Config
	candidate Candidate
	identity  string
	// stopTimeout is how long a term may take to stop once its lease is lost.
	// Its Fence is shut all that time.
	stopTimeout time.Duration
}

// forever is 146 years: the longest duration that can be added to a time.
const forever = time.Duration(1 << 62)

var errLeaseLost = errors.New("the leader lease was lost")

func (r *runner) Run(ctx context.Context, report supervisor.Report) error {
	r.Health.begin(r.identity, r.LeaseDuration.Duration)
	r.Health.expect(r.ResourceNamespace+"/"+r.ResourceName, r.RetryPeriod.Duration, r.validity())
	for ctx.Err() == nil {
		if err := r.term(ctx, report); err != nil {
			return err
		}
	}
	return nil
}

// term sees the Candidate through one term: prepare, stand by, lead, end.
func (r *runner) term(ctx context.Context, report supervisor.Report) error {
	fence := NewFence(r.validity())
	defer fence.Close()
	r.Health.ended() // whatever came back of the term before
	termCtx, endTerm := context.WithCancel(ctx)
	defer endTerm()
	prepared := r.tellOfPreparing(termCtx, report)
	term, err := r.candidate.Prepare(termCtx, fence)
	prepared()
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("preparing: %w", err)
	}
	defer term.Close()
	defer endTerm()

	won, err := r.standBy(ctx, fence, report)
	if won == nil {
		return err
	}
	defer won.resign()
	leadCtx, stop := context.WithCancelCause(termCtx)
	defer stop(nil)
	tell := &standing{fence: fence, report: report}
	go func() {
		fence.AwaitShut(leadCtx)
		if leadCtx.Err() == nil {
			fence.Close() // for good, whatever renewal may still come back
			r.Health.expired()
			tell.shut()
			stop(errLeaseLost)
		}
	}()
	context.AfterFunc(won.leading, fence.Close)
	err = supervisor.GuardWithin(leadCtx, r.stopTimeout, func(ctx context.Context) error {
		return term.Lead(ctx, tell.acting)
	})
	stop(nil) // before the fence: it is not lost by being shut here
	fence.Close()
	lost := errors.Is(context.Cause(leadCtx), errLeaseLost)
	switch {
	case errors.Is(err, supervisor.ErrAbandoned) && lost:
		return fmt.Errorf("%w; %w", errLeaseLost, err)
	case errors.Is(err, supervisor.ErrAbandoned):
		return err
	case ctx.Err() != nil:
		return nil
	case lost:
		klog.InfoS("Leader lease lost; the component has stopped and stands by again", "lease", r.ResourceName)
		report(supervisor.Starting, errLeaseLost.Error())
		return nil
	case err == nil:
		err = errors.New("it stopped leading by itself")
	}
	return err
}

// preparing is what a replica says that fills its caches.
const preparing = "fills its caches"

// tellOfPreparing looks at the lease, until the function that it returns is called, and
// tells every retry period why the preparation may last: informers log their trouble and
// try for ever. What a dead holder's lease lasts is waited for meanwhile.
func (r *runner) tellOfPreparing(term context.Context, report supervisor.Report) (prepared func()) {
	ctx, cancel := context.WithCancel(term)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for first := true; ; first = false {
			// One that is cut off is five errors in the apiserver's log.
			lease, err := r.Client.CoordinationV1().Leases(r.ResourceNamespace).Get(term, r.ResourceName, metav1.GetOptions{})
			if err == nil {
				r.Health.seen(*resourcelock.LeaseSpecToLeaderElectionRecord(&lease.Spec))
			}
			switch {
			case ctx.Err() != nil:
				return
			case first: // it is early to say anything
			case err == nil || apierrors.IsNotFound(err):
				report(supervisor.Starting, preparing+r.hindrance(ctx))
			default:
				report(supervisor.Starting, preparing+", and the apiserver cannot be asked: "+oneLine(err))
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(r.RetryPeriod.Duration):
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// hindrance is what keeps the Candidate from its work, to be said after something else.
func (r *runner) hindrance(ctx context.Context) string {
	if r.Hindered == nil {
		return ""
	}
	if err := r.Hindered(ctx); err != nil {
		return "; " + oneLine(err)
	}
	return ""
}

// validity is how long after a renewal was asked for the lease still counts as
// held: as long as the stock elector clings to it (its renew deadline, begun
// anew every retry period), and safely less than others wait before they take
// it.
func (r *runner) validity() time.Duration {
	return min(r.RenewDeadline.Duration+r.RetryPeriod.Duration, (r.RenewDeadline.Duration+r.LeaseDuration.Duration)/2)
}

// RunAlone leads without any election: for --leader-elect=false, where the user
// answers for there being one replica.
func RunAlone(ctx context.Context, candidate Candidate, report supervisor.Report) error {
	ctx, cancel := context.WithCancel(ctx)
	fence := NewFence(forever)
	defer fence.Close()
	fence.Renewed(time.Now())
	term, err := candidate.Prepare(ctx, fence)
	if err != nil {
		cancel()
		return fmt.Errorf("preparing: %w", err)
	}
	defer term.Close()
	defer cancel()
	return term.Lead(ctx, func() { report(supervisor.Leading, "without leader election") })
}

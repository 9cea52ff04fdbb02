// SPDX-License-Identifier: Apache-2.0

// Package apiserver runs kube-apiserver from its public options, without its
// command (cmd/kube-apiserver/app/server.go, NewAPIServerCommand and Run): that one installs signal
// handlers, of which a process can have only one set.
package apiserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/server/flagz"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"

	"github.com/khw-controller/khw-controller/pkg/component/flagset"
	"github.com/khw-controller/khw-controller/pkg/inprocess"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// closeTimeout is how long connections may stay open after all requests were
// answered and all watches ended. The stock 60 s (the request time-out) make a
// stop wait for idle HTTP/2 connections (kubernetes#131052).
const closeTimeout = 3 * time.Second

// Options are the parsed flags of one kube-apiserver.
type Options struct {
	*options.ServerRunOptions
	flags cliflag.NamedFlagSets
}

// Parse parses a kube-apiserver command line.
func Parse(argv []string) (*Options, error) {
	s := options.NewServerRunOptions()
	sets := s.Flags()
	if err := flagset.Parse(lab.APIServer, flagset.Join(lab.APIServer, sets), argv); err != nil {
		return nil, err
	}
	return &Options{ServerRunOptions: s, flags: sets}, nil
}

// Flags returns kube-apiserver's flags at their defaults.
func Flags() (*pflag.FlagSet, error) {
	return flagset.Join(lab.APIServer, options.NewServerRunOptions().Flags()), nil
}

// complete completes and validates the options.
func (o *Options) complete(ctx context.Context, name *cache.InformerName) (options.CompletedOptions, error) {
	o.Flagz = flagz.NamedFlagSetsReader{FlagSets: o.flags}
	o.InformerName = name
	completed, err := o.Complete(ctx)
	if err != nil {
		return completed, err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return completed, utilerrors.NewAggregate(errs)
	}
	return completed, nil
}

// withEtcd returns a copy whose options of etcd are changed. The flags, which are
// shown to who asks, keep their values.
func (o *Options) withEtcd(change func(*genericoptions.EtcdOptions)) *Options {
	options, run, generic, etcd := *o, *o.ServerRunOptions, *o.Options, *o.Etcd
	change(&etcd)
	generic.Etcd, run.Options, options.ServerRunOptions = &etcd, &generic, &run
	return &options
}

// Server is the Runner of kube-apiserver, for one run.
type Server struct {
	options  *Options
	pages    map[string]http.Handler
	prober   atomic.Pointer[prober]
	loopback atomic.Pointer[restclient.Config]
	// healthToken is with what HealthUser asks.
	healthToken string
	encryption  encryptionConfig
	etcd        Etcd
	inProcess   inprocess.Server
	drain       *drain
	// deregister takes the server out of the service `kubernetes`.
	deregister atomic.Pointer[func() error]
	// load makes its configuration, once; unload is called for what that has begun.
	load   func() (*app.Config, error)
	unload []func()
}

// New returns the apiserver with the given options.
func New(o *Options, etcd Etcd) *Server {
	s := &Server{options: o, etcd: etcd, pages: map[string]http.Handler{}, healthToken: rand.Text(), drain: newDrain()}
	s.load = sync.OnceValues(s.configure)
	return s
}

// SetPage has the secure port show a page of ours at path, in the place of what
// is there already, to those who may get that path. It has to be called before
// Run.
func (s *Server) SetPage(path string, h http.Handler) { s.pages[path] = h }

var errNotServing = errors.New("not serving yet")

// Run serves until ctx ends; then requests in flight are finished, watches
// ended and connections closed. [Server.TakeLeave] prepares the clients for it.
func (s *Server) Run(ctx context.Context, _ supervisor.Report) error {
	config, err := s.load()
	for _, end := range s.unload {
		defer end()
	}
	if err != nil {
		return err
	}
	// The aggregator is in front of the others, and asks for all of them who it is.
	front := config.Aggregator.GenericConfig
	addHealthUser(&front.Authentication, &front.Authorization, s.healthToken)
	socket := restclient.CopyConfig(front.LoopbackClientConfig)
	// All three servers have this one; what makes its client from now on needs no socket.
	front.LoopbackClientConfig.Wrap(s.inProcess.Wrap)
	if err := s.drain.install(&front.Config); err != nil {
		return err
	}
	hooks := replaceHooks(config.KubeAPIs)
	postponeOpenAPI(config.KubeAPIs)
	chained, err := config.Complete()
	if err != nil {
		return err
	}
	server, err := app.CreateServerChain(chained)
	if err != nil {
		return err
	}
	if err := addHooks(server.GenericAPIServer, hooks); err != nil {
		return err
	}
	if err := installOpenAPI(server.GenericAPIServer, config.KubeAPIs.ControlPlane.Generic); err != nil {
		return err
	}
	server.GenericAPIServer.ShutdownTimeout = closeTimeout
	if err := server.GenericAPIServer.AddReadyzChecks(s.drain.check()); err != nil {
		return err
	}
	prepared, err := server.PrepareRun()
	if err != nil {
		return err
	}
	mux := server.GenericAPIServer.Handler.NonGoRestfulMux
	for path, page := range s.pages {
		mux.Unregister(path)
		mux.Handle(path, page)
	}
	// It is to notice when the port itself does not serve.
	p, err := newProber(socket)
	if err != nil {
		return fmt.Errorf("connecting to itself: %w", err)
	}
	s.loopback.Store(server.GenericAPIServer.LoopbackClientConfig)
	s.prober.Store(p)
	deregister := server.GenericAPIServer.RunPreShutdownHooks // again at the end, which does no harm
	s.deregister.Store(&deregister)
	serving := server.GenericAPIServer.SecureServingInfo
	listener, end := s.inProcess.Serve(ctx, serving.Listener, server.GenericAPIServer.Handler)
	serving.Listener = s.drain.listener(listener)
	defer end()
	delayed, stop := s.delayStop(ctx)
	defer stop()
	go s.drain.end(delayed, front.DrainedNotify())
	return prepared.Run(delayed)
}

// startGracePeriod is how long a stop waits for a start that is under way.
const startGracePeriod = 10 * time.Second

// delayStop returns a context that ends with ctx, but not before the server has
// started, or startGracePeriod is over: its hooks take the end of their context for a failure, and end the
// process (k8s.io/apiserver/pkg/server/hooks.go, runPostStartHook).
func (s *Server) delayStop(ctx context.Context) (context.Context, context.CancelFunc) {
	delayed, stop := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		defer stop()
		grace, cancel := context.WithTimeout(delayed, startGracePeriod)
		defer cancel()
		// Its only error is that the time is over.
		_ = wait.PollUntilContextCancel(grace, startPoll, true, func(ctx context.Context) (bool, error) {
			return s.Ready(ctx) == nil, nil
		})
	})
	return delayed, stop
}

const startPoll = 50 * time.Millisecond

// InProcess is a rest.Config wrapper by which components in this process reach the
// apiserver without a socket, where their kubeconfigs point to it; see pkg/inprocess.
func (s *Server) InProcess(rt http.RoundTripper) http.RoundTripper { return s.inProcess.Wrap(rt) }

// LoopbackClient returns how the process itself reaches the apiserver: as a user who
// may do everything, with a token that never leaves the process.
func (s *Server) LoopbackClient() (*restclient.Config, error) {
	config := s.loopback.Load()
	if config == nil {
		return nil, errNotServing
	}
	return restclient.CopyConfig(config), nil
}

// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"runtime/pprof"

	"k8s.io/client-go/tools/cache"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

// Load does the part of a start that needs no etcd: it reads every file that the
// flags name, and opens the secure port, where who comes waits as in a backlog. [Server.Run]
// goes on from there, or does it all. What is wrong is told by Run.
func (s *Server) Load() {
	// What it starts belongs to the component.
	pprof.Do(context.Background(), pprof.Labels(supervisor.Label, string(lab.APIServer)), func(context.Context) {
		_ = supervisor.Guard(func() error {
			_, err := s.load()
			return err
		})
	})
}

// configure completes the options and makes the configuration.
func (s *Server) configure() (*app.Config, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s.unload = append(s.unload, cancel)
	name, err := cache.NewInformerName(string(lab.APIServer))
	if err != nil {
		return nil, err
	}
	s.unload = append(s.unload, name.Release)
	options, err := s.encryption.serve(s.options)
	if err != nil {
		return nil, err
	}
	s.unload = append(s.unload, s.encryption.close)
	completed, err := options.dialing(s.etcd).complete(ctx, name)
	if err != nil {
		return nil, err
	}
	return app.NewConfig(completed) // loads every file, and opens the secure port
}

// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// staleFinder knows of things that are ours and no longer wanted. All Resources
// were read.
type staleFinder interface {
	findStale(ctx context.Context) ([]lb.Resource, error)
}

// Stale is part of lb.Cloud.
func (c *Cloud) Stale(ctx context.Context) ([]lb.Resource, error) {
	var all []lb.Resource
	for _, finder := range c.stale {
		some, err := finder.findStale(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// stale is one of them.
type stale struct {
	kind, name, id string
	// keep says why it stays all the same, or is "".
	keep   string
	delete func(context.Context) error
	line   func() string
}

func (s *stale) Kind() string { return s.kind }
func (s *stale) Name() string { return s.name }

func (s *stale) Read(context.Context) (lb.State, error) {
	return lb.State{Exists: true, ID: s.id, Ours: true, Keep: s.keep}, nil
}

func (s *stale) Delete(ctx context.Context) error { return s.delete(ctx) }
func (s *stale) Commands(lb.Action) []string      { return []string{s.line()} }

// goneMembers are the registrations of instances that are gone or replaced.
type goneMembers struct {
	controllers *controllers
	pool        pool
}

func (g *goneMembers) findStale(ctx context.Context) ([]lb.Resource, error) {
	if !g.controllers.prune {
		return nil, nil
	}
	if err := g.controllers.lookUp(ctx, g.pool.members()); err != nil {
		return nil, err
	}
	var all []lb.Resource
	for _, id := range g.pool.members() {
		if i := g.controllers.known[id]; g.controllers.isGone(id) {
			all = append(all, &stale{
				kind: "registration", name: i.brief(),
				delete: func(ctx context.Context) error { return g.pool.deregister(ctx, id) },
				line:   func() string { return g.pool.deregisterLine(id) },
			})
		}
	}
	return all, nil
}

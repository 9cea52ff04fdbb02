// SPDX-License-Identifier: Apache-2.0

package elected

import (
	"context"

	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/configz"

	"github.com/khw-controller/khw-controller/pkg/election"
)

// Term is one term of a component, which is made first and prepared then.
type Term interface {
	// Prepare is as in [election.Candidate].
	Prepare(ctx context.Context, fence *election.Fence) error
	// Term's Close is also called when Prepare failed half-way.
	election.Term
}

// NewTerm makes a term whose informers go by name.
type NewTerm func(name *cache.InformerName) Term

// candidate makes terms and keeps the names for them that exist once per
// process: the stock components register them and never take them back.
type candidate struct {
	config  *Config
	newTerm NewTerm
}

// Prepare implements election.Candidate.
func (c *candidate) Prepare(ctx context.Context, fence *election.Fence) (election.Term, error) {
	name, err := cache.NewInformerName(string(c.config.Component))
	if err != nil {
		return nil, err
	}
	t := &registered{Term: c.newTerm(name), name: name, configz: c.config.ConfigzName}
	if err := t.Prepare(ctx, fence); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// registered is a Term with its process-wide names.
type registered struct {
	Term
	name    *cache.InformerName
	configz string
}

// Close closes the term and gives its names back for the next one.
func (t *registered) Close() {
	t.Term.Close()
	configz.Delete(t.configz)
	t.name.Release()
}

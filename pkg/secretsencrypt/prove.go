// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/encryption"
)

// rewriteAll has everything that the target is for written with it, and proves by
// reading etcd that nothing else is left of that.
func (r *Rotator) rewriteAll(ctx context.Context, rotation *Rotation) error {
	config, err := encryption.Load(ctx, r.Path)
	if err != nil {
		return err
	}
	if err := sleep(ctx, r.pace.settle); err != nil {
		return err
	}
	t := rotation.Target
	covers := func(gr schema.GroupResource) bool {
		p, ok := config.Writes(gr)
		return ok && p.Name == t.Provider && p.Key == t.Key
	}
	resources, err := servedResources(r.Discovery, covers)
	if err != nil {
		return fmt.Errorf("asking the apiserver what it stores: %w", err)
	}
	stored, err := config.Resources(ctx, r.Etcd)
	if err != nil {
		return err
	}
	var failed []failure
	total := 0
	for _, resource := range resources {
		done := 0
		some, err := rewrite(ctx, r.Metadata, resource, func(total int) { done++; r.Progress(resource.GroupResource().String(), done, total) })
		if err != nil {
			return err
		}
		for _, f := range some {
			f.object = resource.GroupResource().String() + " " + f.object
			failed = append(failed, f)
		}
		total += done
		stored = append(stored, resource.GroupResource())
	}
	r.Say("%s: %d objects rewritten", t.Short(), total)
	dropped, err := drops(ctx, r.Path, t)
	if err != nil {
		return err
	}
	if config.HasWildcards() {
		stored = append(stored, encryption.Everything)
	}
	left, err := r.left(ctx, stored, func(c encryption.Count) bool {
		other := c.Provider.Name != t.Provider || c.Provider.Key != t.Key
		return other && (covers(c.Resource) || c.Resource == encryption.Everything && dropped[c.Provider])
	})
	if err != nil {
		return err
	}
	switch {
	case left != nil && len(failed) > 0:
		return fmt.Errorf("%d %s such as %s are %s still, and of %d objects the apiserver refused to write %s: %s; correct that, and run this again",
			left.Objects, left.Resource, left.Example, left.Provider, len(failed), failed[0].object, connerr.OneLine(failed[0].err))
	case left != nil:
		return fmt.Errorf("%d %s such as %s are %s still; nothing is dropped; run this again", left.Objects, left.Resource, left.Example, left.Provider)
	}
	r.Say("%s: nothing is left in etcd that is stored otherwise", t.Short())
	return nil
}

// left returns what is stored otherwise, or nil.
func (r *Rotator) left(ctx context.Context, stored []schema.GroupResource, otherwise func(encryption.Count) bool) (*encryption.Count, error) {
	counts, err := encryption.CountStored(ctx, r.Etcd, stored)
	if err != nil {
		return nil, err
	}
	for _, c := range counts {
		if otherwise(c) {
			return &c, nil
		}
	}
	return nil, nil
}

// drops are the keys of a file that are in none of its entries when the rest is
// dropped.
func drops(ctx context.Context, path string, t encryption.Target) (map[encryption.Provider]bool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	kept, err := Alone.next(data, t)
	if err != nil {
		return nil, err
	}
	before, err := encryption.Parse(ctx, data)
	if err != nil {
		return nil, err
	}
	after, err := encryption.Parse(ctx, kept)
	if err != nil {
		return nil, err
	}
	dropped := map[encryption.Provider]bool{}
	mark := func(config *encryption.Config, isDropped bool) {
		for _, e := range config.Entries() {
			for _, p := range e.Providers {
				dropped[p] = isDropped
			}
		}
	}
	mark(before, true)
	mark(after, false)
	return dropped, nil
}

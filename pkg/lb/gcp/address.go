// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/api/compute/v1"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// reservedAddress is where clients go. The lab looks it up; Create reserves it.
type reservedAddress struct {
	*client
	cfg  Config
	rule *forwardingRule

	ip   string
	tier string // a forwarding rule has to be of the same
}

func (a *reservedAddress) Kind() string { return "address" }
func (a *reservedAddress) Name() string { return a.cfg.Address }

func (a *reservedAddress) Read(ctx context.Context) (lb.State, error) {
	found, err := find(ctx, a.client, "addresses.get", a.regional("addresses", a.cfg.Address), func(ctx context.Context) (*compute.Address, error) {
		return a.Addresses.Get(a.project, a.region, a.cfg.Address).Context(ctx).Do()
	})
	switch {
	case err != nil:
		return lb.State{}, err
	case found == nil && a.cfg.Create:
		return lb.State{}, nil
	case found == nil:
		return lb.State{Problem: fmt.Sprintf("there is none of this name in %s; reserve it with --create or as lab chapter 3 does, or name another with --address", a.region)}, nil
	case found.AddressType == "INTERNAL":
		return lb.State{Problem: fmt.Sprintf("%s is an internal address, which no client outside the network reaches; name an external one with --address", found.Address)}, nil
	}
	a.ip, a.tier = found.Address, found.NetworkTier
	state := lb.State{Exists: true, ID: found.Address, ReadOnly: !a.cfg.Create, Ours: marked(found.Description)}
	for _, user := range found.Users {
		if tail(user) != a.rule.tail() {
			state.Unmanaged = append(state.Unmanaged, fmt.Sprintf("%s uses address %s too", tail(user), a.cfg.Address))
			state.Keep = tail(user) + " uses it"
		}
	}
	return state, nil
}

// Keep is part of lb.Keeper.
func (a *reservedAddress) Keep(ctx context.Context) (string, error) { return a.rule.usesStill(ctx) }

func (a *reservedAddress) Create(ctx context.Context) error {
	err := a.change(ctx, "addresses.insert", func(ctx context.Context, id string) (*compute.Operation, error) {
		wanted := &compute.Address{Name: a.cfg.Address, Description: mark}
		return a.Addresses.Insert(a.project, a.region, wanted).RequestId(id).Context(ctx).Do()
	})
	if err != nil {
		return err
	}
	_, err = a.Read(ctx) // for the address that it got
	if err == nil && a.ip == "" {
		err = errors.New("it is reserved, but not shown yet; the same command continues here")
	}
	return err
}

func (a *reservedAddress) Delete(ctx context.Context) error {
	return a.change(ctx, "addresses.delete", func(ctx context.Context, id string) (*compute.Operation, error) {
		return a.Addresses.Delete(a.project, a.region, a.cfg.Address).RequestId(id).Context(ctx).Do()
	})
}

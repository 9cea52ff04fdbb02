// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"strconv"

	"google.golang.org/api/compute/v1"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// description is the lab's for its health check.
const description = "Kubernetes Health Check"

// httpHealthCheck is the lab's: the legacy kind, which a target pool needs.
type httpHealthCheck struct {
	*client
	cfg  Config
	pool *targetPool
}

func (h *httpHealthCheck) Kind() string { return "http health check" }
func (h *httpHealthCheck) Name() string { return h.cfg.HealthCheck }
func (h *httpHealthCheck) tail() string { return "global/httpHealthChecks/" + h.cfg.HealthCheck }

// wanted leaves the intervals to the service, as the lab does.
func (h *httpHealthCheck) wanted() *compute.HttpHealthCheck {
	return &compute.HttpHealthCheck{
		Name: h.cfg.HealthCheck, Description: description,
		Host: h.cfg.HealthCheckHost, RequestPath: h.cfg.HealthCheckPath, Port: int64(h.cfg.HealthCheckPort),
		ForceSendFields: []string{"Host"},
	}
}

func (h *httpHealthCheck) Read(ctx context.Context) (lb.State, error) {
	found, err := find(ctx, h.client, func(ctx context.Context) (*compute.HttpHealthCheck, error) {
		return h.HttpHealthChecks.Get(h.project, h.cfg.HealthCheck).Context(ctx).Do()
	})
	if err != nil || found == nil {
		return lb.State{}, err
	}
	var d diff
	d.field("description", found.Description, description)
	d.probe(h.cfg, found.Host, found.RequestPath, found.Port)
	keep, err := h.pool.kept(ctx)
	return lb.State{Exists: true, Changes: d, Keep: keep}, err
}

// probe compares what a health check of either kind asks for.
func (d *diff) probe(c Config, host, path string, port int64) {
	d.field("host", host, c.HealthCheckHost)
	d.field("path", path, c.HealthCheckPath)
	d.field("port", strconv.FormatInt(port, 10), strconv.Itoa(int(c.HealthCheckPort)))
}

func (h *httpHealthCheck) Create(ctx context.Context) error {
	return h.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return h.HttpHealthChecks.Insert(h.project, h.wanted()).RequestId(id).Context(ctx).Do()
	})
}

func (h *httpHealthCheck) Update(ctx context.Context) error {
	return h.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return h.HttpHealthChecks.Patch(h.project, h.cfg.HealthCheck, h.wanted()).RequestId(id).Context(ctx).Do()
	})
}

func (h *httpHealthCheck) Delete(ctx context.Context) error {
	return h.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return h.HttpHealthChecks.Delete(h.project, h.cfg.HealthCheck).RequestId(id).Context(ctx).Do()
	})
}

// healthCheck is the regional kind, which a backend service needs.
type healthCheck struct {
	*client
	cfg     Config
	service *backendService
}

func (h *healthCheck) Kind() string { return "health check" }
func (h *healthCheck) Name() string { return h.cfg.HealthCheck }
func (h *healthCheck) tail() string { return h.regional("healthChecks", h.cfg.HealthCheck) }

func (h *healthCheck) wanted() *compute.HealthCheck {
	return &compute.HealthCheck{
		Name: h.cfg.HealthCheck, Description: description, Type: "HTTP",
		HttpHealthCheck: &compute.HTTPHealthCheck{
			Host: h.cfg.HealthCheckHost, RequestPath: h.cfg.HealthCheckPath, Port: int64(h.cfg.HealthCheckPort),
			ForceSendFields: []string{"Host"},
		},
	}
}

func (h *healthCheck) Read(ctx context.Context) (lb.State, error) {
	found, err := find(ctx, h.client, func(ctx context.Context) (*compute.HealthCheck, error) {
		return h.RegionHealthChecks.Get(h.project, h.region, h.cfg.HealthCheck).Context(ctx).Do()
	})
	if err != nil || found == nil {
		return lb.State{}, err
	}
	if found.HttpHealthCheck == nil {
		return lb.State{Exists: true, Keep: "its type is " + found.Type, Problem: fmt.Sprintf("its type is %s, which cannot be changed to HTTP; delete it, or name another with --health-check", found.Type)}, nil
	}
	var d diff
	d.field("description", found.Description, description)
	d.probe(h.cfg, found.HttpHealthCheck.Host, found.HttpHealthCheck.RequestPath, found.HttpHealthCheck.Port)
	keep, err := h.service.kept(ctx)
	return lb.State{Exists: true, Changes: d, Keep: keep}, err
}

func (h *healthCheck) Create(ctx context.Context) error {
	return h.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return h.RegionHealthChecks.Insert(h.project, h.region, h.wanted()).RequestId(id).Context(ctx).Do()
	})
}

func (h *healthCheck) Update(ctx context.Context) error {
	return h.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return h.RegionHealthChecks.Patch(h.project, h.region, h.cfg.HealthCheck, h.wanted()).RequestId(id).Context(ctx).Do()
	})
}

func (h *healthCheck) Delete(ctx context.Context) error {
	return h.change(ctx, func(ctx context.Context, id string) (*compute.Operation, error) {
		return h.RegionHealthChecks.Delete(h.project, h.region, h.cfg.HealthCheck).RequestId(id).Context(ctx).Do()
	})
}

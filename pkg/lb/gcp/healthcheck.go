// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/api/compute/v1"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// description is the lab's for its health check, with the mark.
const description = "Kubernetes Health Check (" + mark + ")"

// httpHealthCheck is the lab's: the legacy kind, which a target pool needs.
type httpHealthCheck struct {
	*client
	cfg  Config
	pool *targetPool
}

func (h *httpHealthCheck) Kind() string { return "http health check" }
func (h *httpHealthCheck) Name() string { return h.cfg.HealthCheck }
func (h *httpHealthCheck) tail() string { return "global/httpHealthChecks/" + h.cfg.HealthCheck }

func (h *httpHealthCheck) wanted() *compute.HttpHealthCheck {
	return &compute.HttpHealthCheck{
		Name: h.cfg.HealthCheck,
		Host: h.cfg.HealthCheckHost, RequestPath: h.cfg.HealthCheckPath, Port: int64(h.cfg.HealthCheckPort),
		CheckIntervalSec: int64(h.cfg.HealthCheckInterval), TimeoutSec: int64(h.cfg.HealthCheckTimeout),
		HealthyThreshold: int64(h.cfg.HealthyAfter), UnhealthyThreshold: int64(h.cfg.UnhealthyAfter),
		ForceSendFields: []string{"Host"},
	}
}

func (h *httpHealthCheck) Read(ctx context.Context) (lb.State, error) {
	found, err := find(ctx, h.client, "httpHealthChecks.get", h.tail(), func(ctx context.Context) (*compute.HttpHealthCheck, error) {
		return h.HttpHealthChecks.Get(h.project, h.cfg.HealthCheck).Context(ctx).Do()
	})
	if err != nil || found == nil {
		return lb.State{}, err
	}
	state := lb.State{Exists: true, Ours: marked(found.Description)}
	state.Changes = h.cfg.probeChanges(found.Host, found.RequestPath, found.Port,
		found.CheckIntervalSec, found.TimeoutSec, found.HealthyThreshold, found.UnhealthyThreshold)
	return state, nil
}

// Keep is part of lb.Keeper.
func (h *httpHealthCheck) Keep(ctx context.Context) (string, error) {
	if reason, err := h.pool.Keep(ctx); err != nil || reason != "" {
		return reason, err
	}
	return h.usedBy(ctx)
}

// usedBy names another target pool, of any region, that has this health check.
func (h *httpHealthCheck) usedBy(ctx context.Context) (string, error) {
	for token := ""; ; {
		page, err := call(ctx, h.client, "targetPools.aggregatedList", func(ctx context.Context) (*compute.TargetPoolAggregatedList, error) {
			return h.TargetPools.AggregatedList(h.project).PageToken(token).Context(ctx).Do()
		})
		if err != nil {
			return "", err
		}
		for _, scope := range page.Items {
			for _, pool := range scope.TargetPools {
				if at := tail(pool.SelfLink); at != h.pool.tail() && slices.Contains(tails(pool.HealthChecks), h.tail()) {
					return at + " uses it", nil
				}
			}
		}
		if token = page.NextPageToken; token == "" {
			return "", nil
		}
	}
}

// probeChanges compares what a health check of either kind asks for, and how often.
func (c Config) probeChanges(host, path string, port, interval, timeout, healthyAfter, unhealthyAfter int64) diff {
	var d diff
	d.field("host", host, c.HealthCheckHost)
	d.field("path", path, c.HealthCheckPath)
	d.number("port", port, int64(c.HealthCheckPort))
	d.number("interval in seconds", interval, int64(c.HealthCheckInterval))
	d.number("timeout in seconds", timeout, int64(c.HealthCheckTimeout))
	d.number("healthy after", healthyAfter, int64(c.HealthyAfter))
	d.number("unhealthy after", unhealthyAfter, int64(c.UnhealthyAfter))
	return d
}

func (h *httpHealthCheck) Create(ctx context.Context) error {
	wanted := h.wanted()
	wanted.Description = description
	return h.change(ctx, "httpHealthChecks.insert", func(ctx context.Context, id string) (*compute.Operation, error) {
		return h.HttpHealthChecks.Insert(h.project, wanted).RequestId(id).Context(ctx).Do()
	})
}

func (h *httpHealthCheck) Update(ctx context.Context) error {
	return h.change(ctx, "httpHealthChecks.patch", func(ctx context.Context, id string) (*compute.Operation, error) {
		return h.HttpHealthChecks.Patch(h.project, h.cfg.HealthCheck, h.wanted()).RequestId(id).Context(ctx).Do()
	})
}

func (h *httpHealthCheck) Delete(ctx context.Context) error {
	return h.change(ctx, "httpHealthChecks.delete", func(ctx context.Context, id string) (*compute.Operation, error) {
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
		Name: h.cfg.HealthCheck, Type: "HTTP",
		CheckIntervalSec: int64(h.cfg.HealthCheckInterval), TimeoutSec: int64(h.cfg.HealthCheckTimeout),
		HealthyThreshold: int64(h.cfg.HealthyAfter), UnhealthyThreshold: int64(h.cfg.UnhealthyAfter),
		HttpHealthCheck: &compute.HTTPHealthCheck{
			Host: h.cfg.HealthCheckHost, RequestPath: h.cfg.HealthCheckPath, Port: int64(h.cfg.HealthCheckPort),
			ForceSendFields: []string{"Host"},
		},
	}
}

func (h *healthCheck) Read(ctx context.Context) (lb.State, error) {
	found, err := find(ctx, h.client, "regionHealthChecks.get", h.tail(), func(ctx context.Context) (*compute.HealthCheck, error) {
		return h.RegionHealthChecks.Get(h.project, h.region, h.cfg.HealthCheck).Context(ctx).Do()
	})
	if err != nil || found == nil {
		return lb.State{}, err
	}
	state := lb.State{Exists: true, Ours: marked(found.Description)}
	http := found.HttpHealthCheck
	if http == nil {
		state.Problem = fmt.Sprintf("its type is %s, which cannot be changed to HTTP; delete it, or name another with --health-check", found.Type)
		state.Keep = "its type is " + found.Type
		return state, nil
	}
	state.Changes = h.cfg.probeChanges(http.Host, http.RequestPath, http.Port,
		found.CheckIntervalSec, found.TimeoutSec, found.HealthyThreshold, found.UnhealthyThreshold)
	return state, nil
}

// Keep is part of lb.Keeper.
func (h *healthCheck) Keep(ctx context.Context) (string, error) {
	if reason, err := h.service.Keep(ctx); err != nil || reason != "" {
		return reason, err
	}
	return h.service.sharedWith(ctx, func(other *compute.BackendService) bool {
		return slices.Contains(tails(other.HealthChecks), h.tail())
	})
}

func (h *healthCheck) Create(ctx context.Context) error {
	wanted := h.wanted()
	wanted.Description = description
	return h.change(ctx, "regionHealthChecks.insert", func(ctx context.Context, id string) (*compute.Operation, error) {
		return h.RegionHealthChecks.Insert(h.project, h.region, wanted).RequestId(id).Context(ctx).Do()
	})
}

func (h *healthCheck) Update(ctx context.Context) error {
	return h.change(ctx, "regionHealthChecks.patch", func(ctx context.Context, id string) (*compute.Operation, error) {
		return h.RegionHealthChecks.Patch(h.project, h.region, h.cfg.HealthCheck, h.wanted()).RequestId(id).Context(ctx).Do()
	})
}

func (h *healthCheck) Delete(ctx context.Context) error {
	return h.change(ctx, "regionHealthChecks.delete", func(ctx context.Context, id string) (*compute.Operation, error) {
		return h.RegionHealthChecks.Delete(h.project, h.region, h.cfg.HealthCheck).RequestId(id).Context(ctx).Do()
	})
}

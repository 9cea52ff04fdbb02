// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"errors"
	"fmt"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// Cloud is the load balancer of a Config.
type Cloud struct {
	client      *client
	controllers *controllers
	address     *reservedAddress
	rule        *forwardingRule
	backend     backend
	resources   []lb.Resource
}

// backend is what a forwarding rule leads to: a target pool or a backend service.
type backend interface {
	lb.Keeper
	// tail is its link, as the function of that name returns it.
	tail() string
	// health is by the tail of each instance behind it.
	health(ctx context.Context) (map[string]string, error)
}

// New finds credentials and, for a backend service, the zones of the controllers,
// each of which needs a group. Config has to be valid.
func New(ctx context.Context, c Config) (*Cloud, error) {
	switch {
	case c.Project == "":
		return nil, errors.New("no GCP project is set; use --project, GOOGLE_CLOUD_PROJECT or gcloud config set project")
	case c.Region == "":
		return nil, errors.New("no GCP region is set; use --region or gcloud config set compute/region")
	}
	api, err := newClient(ctx, c)
	if err != nil {
		return nil, err
	}
	return newCloud(ctx, c, api)
}

func newCloud(ctx context.Context, c Config, api *client) (*Cloud, error) {
	cloud := &Cloud{client: api, controllers: &controllers{client: api, cfg: c}}
	rule := &forwardingRule{client: api, cfg: c}
	cloud.address = &reservedAddress{client: api, cfg: c, rule: rule}
	rule.address = cloud.address
	cloud.rule = rule
	cloud.add(cloud.address)
	if c.Type == BackendService {
		if err := cloud.addBackendService(ctx, c, rule); err != nil {
			return nil, fmt.Errorf("finding the zones of the controllers: %w", cloud.Explain(err))
		}
	} else {
		cloud.addTargetPool(c, rule)
	}
	cloud.add(rule)
	return cloud, nil
}

func (c *Cloud) add(r lb.Resource) { c.resources = append(c.resources, r) }

func (c *Cloud) addTargetPool(cfg Config, rule *forwardingRule) {
	pool := &targetPool{client: c.client, cfg: cfg, controllers: c.controllers, rule: rule}
	check := &httpHealthCheck{client: c.client, cfg: cfg, pool: pool}
	pool.check = check.tail()
	c.backend, rule.backend = pool, pool
	c.add(check)
	c.add(&firewallRule{client: c.client, cfg: cfg, rule: rule})
	c.add(pool)
	for _, name := range cfg.Instances {
		c.add(&poolMember{pool: pool, name: name})
	}
}

func (c *Cloud) addBackendService(ctx context.Context, cfg Config, rule *forwardingRule) error {
	zones, err := c.controllers.zones(ctx)
	if err != nil {
		return err
	}
	service := &backendService{client: c.client, cfg: cfg, rule: rule}
	check := &healthCheck{client: c.client, cfg: cfg, service: service}
	service.check = check.tail()
	c.backend, rule.backend = service, service
	c.add(check)
	c.add(&firewallRule{client: c.client, cfg: cfg, rule: rule})
	for _, zone := range zones {
		group := &instanceGroup{client: c.client, cfg: cfg, zone: zone, controllers: c.controllers, service: service}
		service.groups = append(service.groups, group)
		c.add(group)
	}
	for _, name := range cfg.Instances {
		c.add(&groupMember{controllers: c.controllers, groups: service.groups, name: name})
	}
	c.add(service)
	return nil
}

// Where is part of lb.Cloud.
func (c *Cloud) Where() string {
	return "gcp, project " + c.client.project + ", region " + c.client.region
}

// Resources is part of lb.Cloud.
func (c *Cloud) Resources() []lb.Resource { return c.resources }

// Address is part of lb.Cloud.
func (c *Cloud) Address() string { return c.address.ip }

// Stale is part of lb.Cloud. A group loses what is deleted by itself; a pool does
// not. Rules of other names are somebody else's or of another load balancer,
// whatever mark they bear.
func (c *Cloud) Stale(context.Context) ([]lb.Resource, error) {
	if pool, ok := c.backend.(*targetPool); ok {
		return pool.stale(), nil
	}
	return nil, nil
}

// Pace is part of lb.Cloud.
func (c *Cloud) Pace() lb.Pace {
	return lb.Pace{Pause: c.client.pace.busy, Patience: c.client.pace.patience}
}

// Preamble is part of lb.Cloud.
func (c *Cloud) Preamble() []string {
	return []string{
		"export CLOUDSDK_CORE_PROJECT=" + lb.Quote(c.client.project),
		"export CLOUDSDK_COMPUTE_REGION=" + lb.Quote(c.client.region),
	}
}

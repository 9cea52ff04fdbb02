// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"path"
	"slices"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// Commands is part of lb.Commander.
func (p *targetPool) Commands(action lb.Action) []string {
	at := words(p.cfg.TargetPool, "--region", p.region)
	switch action {
	case lb.Delete:
		return words(gcloud(words("target-pools", "delete"), at, quiet))
	case lb.Update:
		var lines []string
		checks := names(tails(p.found.HealthChecks))
		for _, check := range checks {
			if check != p.cfg.HealthCheck {
				lines = append(lines, gcloud(words("target-pools", "remove-health-checks"), at, words("--http-health-check", check)))
			}
		}
		return append(lines, gcloud(words("target-pools", "add-health-checks"), at, words("--http-health-check", p.cfg.HealthCheck)))
	}
	return words(gcloud(words("target-pools", "create"), at,
		words("--http-health-check", p.cfg.HealthCheck, "--session-affinity", p.cfg.SessionAffinity, "--description", mark)))
}

// instances is a line about one instance in the pool.
func (p *targetPool) instances(verb, tail string) string {
	return gcloud(words("target-pools", verb, p.cfg.TargetPool, "--region", p.region, "--instances", path.Base(tail), "--instances-zone", zone(tail)))
}

// Commands is part of lb.Commander.
func (m *poolMember) Commands(action lb.Action) []string {
	if action == lb.Create {
		return words(m.pool.instances("add-instances", m.instance.tail()))
	}
	var lines []string
	for _, tail := range m.registered {
		lines = append(lines, m.pool.instances("remove-instances", tail))
	}
	return lines
}

// Commands is part of lb.Commander.
func (m *goneMember) Commands(lb.Action) []string {
	return words(m.pool.instances("remove-instances", m.at))
}

// Commands is part of lb.Commander.
func (g *instanceGroup) Commands(action lb.Action) []string {
	at := words(g.cfg.InstanceGroup, "--zone", g.zone)
	if action == lb.Delete {
		return words(gcloud(words("instance-groups", "unmanaged", "delete"), at, quiet))
	}
	return words(gcloud(words("instance-groups", "unmanaged", "create"), at, words("--description", mark)))
}

// Commands is part of lb.Commander.
func (m *groupMember) Commands(action lb.Action) []string {
	verb := "add-instances"
	if action == lb.Delete {
		verb = "remove-instances"
	}
	return words(gcloud(words("instance-groups", "unmanaged", verb, m.group.cfg.InstanceGroup, "--zone", m.group.zone, "--instances", m.name)))
}

// Commands is part of lb.Commander.
func (s *backendService) Commands(action lb.Action) []string {
	at := words(s.cfg.BackendService, "--region", s.region)
	settings := words("--health-checks", s.cfg.HealthCheck, "--health-checks-region", s.region, "--protocol", protocolTCP, "--session-affinity", s.cfg.SessionAffinity)
	if s.drainsLess() {
		settings = append(settings, "--connection-draining-timeout", number(int32(s.cfg.Draining.Seconds())))
	}
	var lines []string
	switch action {
	case lb.Delete:
		return words(gcloud(words("backend-services", "delete"), at, quiet))
	case lb.Update:
		lines = words(gcloud(words("backend-services", "update"), at, settings))
	case lb.Create:
		lines = words(gcloud(words("backend-services", "create"), at, settings, words("--load-balancing-scheme", external, "--description", mark)))
	}
	ours, _ := s.backends()
	for _, g := range s.groups {
		if !slices.Contains(ours, g.tail()) {
			lines = append(lines, gcloud(words("backend-services", "add-backend"), at, words("--instance-group", g.cfg.InstanceGroup, "--instance-group-zone", g.zone)))
		}
	}
	return lines
}

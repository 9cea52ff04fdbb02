// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// gcloud writes a line of gcloud compute as the lab does, from lists of words.
func gcloud(lists ...[]string) string {
	line := "gcloud compute"
	for _, word := range slices.Concat(lists...) {
		line += " " + lb.Quote(word)
	}
	return line
}

// words is a list of them.
func words(list ...string) []string { return list }

// quiet has gcloud ask nothing.
var quiet = words("--quiet")

func number(n int32) string { return strconv.Itoa(int(n)) }

// Commands is part of lb.Commander.
func (a *reservedAddress) Commands(action lb.Action) []string {
	at := words(a.cfg.Address, "--region", a.region)
	if action == lb.Delete {
		return words(gcloud(words("addresses", "delete"), at, quiet))
	}
	return words(gcloud(words("addresses", "create"), at, words("--description", mark)))
}

// probeFlags are those that both kinds of health check have.
func (c Config) probeFlags() []string {
	return words(
		"--host", c.HealthCheckHost, "--request-path", c.HealthCheckPath, "--port", number(c.HealthCheckPort),
		"--check-interval", number(c.HealthCheckInterval), "--timeout", number(c.HealthCheckTimeout),
		"--healthy-threshold", number(c.HealthyAfter), "--unhealthy-threshold", number(c.UnhealthyAfter),
	)
}

// Commands is part of lb.Commander.
func (h *httpHealthCheck) Commands(action lb.Action) []string {
	switch action {
	case lb.Delete:
		return words(gcloud(words("http-health-checks", "delete", h.cfg.HealthCheck), quiet))
	case lb.Update:
		return words(gcloud(words("http-health-checks", "update", h.cfg.HealthCheck), h.cfg.probeFlags()))
	}
	return words(gcloud(words("http-health-checks", "create", h.cfg.HealthCheck, "--description", description), h.cfg.probeFlags()))
}

// Commands is part of lb.Commander.
func (h *healthCheck) Commands(action lb.Action) []string {
	at := words(h.cfg.HealthCheck, "--region", h.region)
	switch action {
	case lb.Delete:
		return words(gcloud(words("health-checks", "delete"), at, quiet))
	case lb.Update:
		return words(gcloud(words("health-checks", "update", "http"), at, h.cfg.probeFlags()))
	}
	return words(gcloud(words("health-checks", "create", "http"), at, words("--description", description), h.cfg.probeFlags()))
}

// narrowings are the flags of what narrows a firewall rule or lets others in, by
// their names in a plan. Empty, they take it away.
var narrowings = map[string]string{
	"source tags":             "--source-tags=",
	"source service accounts": "--source-service-accounts=",
	"destination ranges":      "--destination-ranges=",
	"target tags":             "--target-tags=",
	"target service accounts": "--target-service-accounts=",
}

// Commands is part of lb.Commander.
func (f *firewallRule) Commands(action lb.Action) []string {
	wanted := words("--source-ranges", strings.Join(f.cfg.SourceRanges, ","), "--allow", "tcp", "--priority", number(f.cfg.FirewallPriority))
	switch action {
	case lb.Delete:
		return words(gcloud(words("firewall-rules", "delete", f.cfg.FirewallRule), quiet))
	case lb.Update:
		for _, change := range f.different {
			if flag, ok := narrowings[change.Field]; ok {
				wanted = append(wanted, flag)
			}
		}
		return words(gcloud(words("firewall-rules", "update", f.cfg.FirewallRule), wanted, words("--no-disabled")))
	}
	return words(gcloud(words("firewall-rules", "create", f.cfg.FirewallRule, "--network", f.cfg.Network, "--description", mark), wanted))
}

// Commands is part of lb.Commander. The address may be one that a line before
// reserves.
func (r *forwardingRule) Commands(action lb.Action) []string {
	at := words(r.cfg.ForwardingRule, "--region", r.region)
	to := words("--target-pool", r.cfg.TargetPool)
	if r.cfg.Type == BackendService {
		to = words("--backend-service", r.cfg.BackendService)
	}
	deletion := words(gcloud(words("forwarding-rules", "delete"), at, quiet))
	switch {
	case action == lb.Delete:
		return deletion
	case action == lb.Create:
		return r.creation(at, to)
	case len(r.fixed) > 0:
		return append(deletion, r.creation(at, to)...)
	}
	return words(gcloud(words("forwarding-rules", "set-target"), at, to))
}

func (r *forwardingRule) creation(at, to []string) []string {
	settings := words("--ports", number(r.cfg.Port), "--description", mark)
	if r.address.tier != "" {
		settings = append(settings, "--network-tier", r.address.tier)
	}
	return words(
		"KUBERNETES_PUBLIC_ADDRESS=$("+gcloud(words("addresses", "describe", r.cfg.Address, "--region", r.region, "--format", "value(address)"))+")",
		gcloud(words("forwarding-rules", "create"), at, to, settings)+` --address "${KUBERNETES_PUBLIC_ADDRESS}"`,
	)
}

// SPDX-License-Identifier: Apache-2.0

package computeapi

import (
	"maps"
	"slices"
	"strings"
)

// AddNetwork puts a VPC network there.
func (s *Server) AddNetwork(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(s.global("networks", name), "compute#network", object{"name": name, "autoCreateSubnetworks": false})
}

// AddFirewall puts a firewall rule for what comes in there.
func (s *Server) AddFirewall(name string, fields map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rule := object{"name": name, "direction": "INGRESS", "priority": number(1000), "disabled": false}
	maps.Copy(rule, fields)
	s.put(s.global("firewalls", name), "compute#firewall", rule)
}

// AddAddress reserves an IP address in a region.
func (s *Server) AddAddress(region, name, ip string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(s.regional(region, "addresses", name), "compute#address", object{
		"name": name, "address": ip, "addressType": "EXTERNAL", "networkTier": "PREMIUM", "status": "RESERVED",
	})
}

// AddInstance puts an instance with one interface on a network there; its health
// is unknown to load balancers.
func (s *Server) AddInstance(zone, name, network, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put("projects/"+s.project+"/zones/"+zone+"/instances/"+name, "compute#instance", object{
		"name": name, "status": status, "lastStartTimestamp": timestamp,
		"networkInterfaces": []any{object{"name": "nic0", "network": link(s.global("networks", network))}},
	})
}

// RemoveInstance deletes an instance. Target pools keep its link, as the
// service's do; instance groups lose it.
func (s *Server) RemoveInstance(zone, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := "projects/" + s.project + "/zones/" + zone + "/instances/" + name
	delete(s.resources, path)
	for group, members := range s.members {
		s.members[group] = slices.DeleteFunc(members, func(m string) bool { return m == path })
	}
}

// SetHealth says how an instance answers health checks: HEALTHY, UNHEALTHY, or ""
// for not known yet.
func (s *Server) SetHealth(zone, name, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health["projects/"+s.project+"/zones/"+zone+"/instances/"+name] = state
}

// Edit changes fields of a resource behind everybody's back; nil unsets one. The
// path is below the project, such as global/firewalls/NAME.
func (s *Server) Edit(path string, fields map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.resources["projects/"+s.project+"/"+path]
	merge(r, fields)
	if r["fingerprint"] != nil {
		r["fingerprint"] = fingerprint(r)
	}
}

// Rename moves a resource to another path behind everybody's back.
func (s *Server) Rename(from, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to = "projects/"+s.project+"/"+from, "projects/"+s.project+"/"+to
	s.resources[to] = s.resources[from]
	s.resources[to]["name"], s.resources[to]["selfLink"] = to[strings.LastIndex(to, "/")+1:], link(to)
	delete(s.resources, from)
}

// Remove deletes a resource behind everybody's back.
func (s *Server) Remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.resources, "projects/"+s.project+"/"+path)
}

// Resource returns a resource as the API shows it, or nil.
func (s *Server) Resource(path string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	path = "projects/" + s.project + "/" + path
	if s.resources[path] == nil {
		return nil
	}
	return s.shown(path)
}

// Link is the link of a path below the project.
func (s *Server) Link(path string) string { return link("projects/" + s.project + "/" + path) }

func (s *Server) global(collection, name string) string {
	return "projects/" + s.project + "/global/" + collection + "/" + name
}

func (s *Server) regional(region, collection, name string) string {
	return strings.Join([]string{"projects", s.project, "regions", region, collection, name}, "/")
}

// networkOf is the network of an instance's first interface, the one that load
// balancers use.
func networkOf(instance object) any {
	interfaces, _ := instance["networkInterfaces"].([]any)
	return interfaces[0].(object)["network"]
}

// Members says which instances, by their paths below the project, an instance
// group has.
func (s *Server) Members(group string, instances ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var members []string
	for _, i := range instances {
		members = append(members, "projects/"+s.project+"/"+i)
	}
	s.members["projects/"+s.project+"/"+group] = members
}

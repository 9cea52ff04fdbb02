// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"fmt"
	"path"
	"strings"
	"time"

	"google.golang.org/api/compute/v1"
)

// States of an instance: the service's word for one that runs, and ours for one
// that does not exist.
const (
	running = "RUNNING"
	gone    = "gone"
)

type instance struct {
	name, zone, network, status string
	since                       *time.Time // of the status, where that is known
}

func (i instance) tail() string { return "zones/" + i.zone + "/instances/" + i.name }

func (i instance) String() string {
	return fmt.Sprintf("%s (%s, network %s)", i.zone, i.status, i.network)
}

func list(all []instance) string {
	var said []string
	for _, i := range all {
		said = append(said, i.String())
	}
	return strings.Join(said, ", ")
}

// describe takes the network of the first interface: the one that a passthrough
// load balancer sends to.
func describe(found *compute.Instance) instance {
	i := instance{name: found.Name, zone: path.Base(found.Zone), status: found.Status, network: "none"}
	if len(found.NetworkInterfaces) > 0 {
		i.network = path.Base(found.NetworkInterfaces[0].Network)
	}
	stamp := found.LastStopTimestamp
	if found.Status == running {
		stamp = found.LastStartTimestamp
	}
	if t, err := time.Parse(time.RFC3339, stamp); err == nil {
		i.since = &t
	}
	return i
}

// zone is that of an instance's or a group's tail, such as
// zones/us-west1-a/instances/controller-0.
func zone(tail string) string {
	parts := strings.Split(tail, "/")
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}

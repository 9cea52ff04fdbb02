// SPDX-License-Identifier: Apache-2.0

package profile

import (
	"strconv"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// Edge is the name of the profile for slow and small machines.
const Edge = "edge"

// edge is for machines that are slow, or stand still at times: their leases,
// elections and health checks bear ten seconds of nothing.
var edge = Profile{
	Name:     Edge,
	Doc:      "for slow and small machines: leases and time-outs are longer, together, and the apiserver takes no more requests at once than the machine bears",
	Settings: edgeSettings,
	notes:    edgeNotes,
}

func edgeSettings(f Facts) []Setting {
	reads := inFlight(f)
	all := []Setting{
		{lab.APIServer, "etcd-healthcheck-timeout", "10s", "2s", "An etcd that is slow for seconds is not taken for one that is dead."},
		{lab.APIServer, "etcd-readycheck-timeout", "10s", "2s", "As --etcd-healthcheck-timeout."},
		{lab.APIServer, "request-timeout", "2m0s", "1m0s", "What takes long on a slow disk gets done."},
		{lab.APIServer, "max-requests-inflight", strconv.Itoa(reads), "400",
			"More wait in API Priority and Fairness' queues or are sent away (429), before memory runs out or everybody waits: 40 for each core, and one for each 4 MiB of memory at most."},
		{lab.APIServer, "max-mutating-requests-inflight", strconv.Itoa(reads / 2), "200", "Half as many."},
	}
	for _, c := range []lab.Component{lab.ControllerManager, lab.Scheduler} {
		all = append(all,
			Setting{c, "leader-elect-lease-duration", EdgeLease.String(), StockLease.String(), "How long nobody leads when a leader dies; one that stops in order hands over at once."},
			Setting{c, "leader-elect-renew-deadline", "40s", "10s", "How long renewals may fail before the lead is given up."},
			Setting{c, "leader-elect-retry-period", "5s", "2s", "Fewer writes when idle."},
		)
	}
	if f.Cluster {
		all = append(all,
			Setting{Etcd, "heartbeat-interval", "500", "100", "In milliseconds, the same on every member; one that is alone has no elections to lose."},
			Setting{Etcd, "election-timeout", "5000", "1000", "How long etcd has no leader when its leader dies."},
		)
	}
	return append(all,
		Setting{Own, "healthz-grace", "10s", "0s", "A load balancer does not turn away from a controller that is late with one answer."})
}

// Requests that the apiserver works on at once.
const (
	stockInFlight   = 400     // --max-requests-inflight, for machines of any size
	perCPU          = 40      // with 100, a core that lists is late with its leases and its health
	memoryOfRequest = 4 << 20 // bytes: a list of some thousand objects, twice
	leastInFlight   = 40      // with which all priority levels have a seat
)

// inFlight is how many requests a machine of this size bears.
func inFlight(f Facts) int {
	n := min(stockInFlight, perCPU*max(1, f.CPUs))
	if f.Memory > 0 {
		n = min(n, max(leastInFlight, int(f.Memory/memoryOfRequest)))
	}
	return n
}

// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/machine"
	"github.com/khw-controller/khw-controller/pkg/profile"
)

// profile returns what the requested profiles set for a component here.
func (p *Plan) profile(of lab.Component) []lab.Override {
	facts := profile.Facts{CPUs: p.Machine.CPUs, Memory: p.Machine.Usable(), Cluster: p.IsCluster(), Root: p.Config.Root}
	return profile.Overrides(p.Config.Profiles, facts, of)
}

// applyProfiles puts what the profiles set under the user's overrides, and into what
// the user has not set of our own keys.
func (p *Plan) applyProfiles(overrides map[lab.Component][]lab.Override) error {
	for _, c := range lab.Components() {
		set := p.profile(c)
		if c == lab.APIServer {
			set = p.yieldToFiles(set, overrides[c])
		}
		overrides[c] = append(set, overrides[c]...)
	}
	for _, o := range p.profile(profile.Own) {
		switch {
		case o.Name != "healthz-grace":
			return fmt.Errorf("%s sets %s, which no profile can", o.Source, o.Name)
		case p.Config.HealthzGrace >= 0:
			continue // the user's
		}
		grace, err := time.ParseDuration(o.Value)
		if err != nil {
			return err
		}
		p.HealthGrace = grace
	}
	return nil
}

// LeaseDuration is how long the lease of a leader that dies lasts here: the longer of
// the two.
func (p *Plan) LeaseDuration() time.Duration {
	return max(p.ControllerManager.Generic.LeaderElection.LeaseDuration.Duration, p.Scheduler.LeaderElection.LeaseDuration.Duration)
}

// GoMemoryLimit is what Go's memory limit has to be here: below what the control group
// allows, or where there is none, on a small machine, below three quarters of its
// memory; 0 for none.
func (p *Plan) GoMemoryLimit() int64 {
	switch {
	case p.Machine.Limit > 0:
		return machine.GoLimit(p.Machine.Limit)
	case slices.Contains(p.Config.Profiles, profile.Edge) && p.Machine.Memory > 0:
		return machine.GoLimit(p.Machine.Memory / 4 * 3)
	}
	return 0
}

// leaderElectionKeys are the keys of leaderElection in the scheduler's configuration
// that are flags too.
var leaderElectionKeys = map[string]string{
	"leader-elect-lease-duration": "leaseDuration", "leader-elect-renew-deadline": "renewDeadline", "leader-elect-retry-period": "retryPeriod",
}

// yieldToSchedulerConfig drops what a profile sets of the election and the user's
// scheduler configuration sets too: the scheduler has its flags beat its file.
func (p *Plan) yieldToSchedulerConfig(config []byte) error {
	var file struct {
		LeaderElection map[string]any `json:"leaderElection"`
	}
	if err := yaml.Unmarshal(config, &file); err != nil {
		return err
	}
	p.Flags[lab.Scheduler] = slices.DeleteFunc(p.Flags[lab.Scheduler], func(s lab.Setting) bool {
		return profile.IsSource(s.Source) && file.LeaderElection[leaderElectionKeys[s.Name]] != nil
	})
	return nil
}

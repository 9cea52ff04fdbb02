// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// gone is the state of an instance that EC2 does not know any more: an hour after
// it was terminated.
const gone = "gone"

// instance is one machine.
type instance struct {
	id, name, ip, state, vpc, zone string
	// since is when it got into its state, where EC2 tells.
	since *time.Time
}

func describe(found types.Instance) instance {
	i := instance{
		id:   awssdk.ToString(found.InstanceId),
		name: tag(found.Tags, "Name"),
		ip:   awssdk.ToString(found.PrivateIpAddress),
		vpc:  awssdk.ToString(found.VpcId),
	}
	if found.State != nil {
		i.state = string(found.State.Name)
	}
	if found.Placement != nil {
		i.zone = awssdk.ToString(found.Placement.AvailabilityZone)
	}
	if i.since = changed(awssdk.ToString(found.StateTransitionReason)); i.state == string(types.InstanceStateNameRunning) {
		i.since = found.LaunchTime
	}
	return i
}

// transition is in the reason for a state: "User initiated (2026-01-02 03:04:05
// GMT)".
var transition = regexp.MustCompile(`\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)`)

func changed(reason string) *time.Time {
	m := transition.FindStringSubmatch(reason)
	if m == nil {
		return nil
	}
	t, err := time.Parse(time.DateTime, m[1])
	if err != nil {
		return nil
	}
	return &t
}

// isGone reports whether it will never run again.
func (i instance) isGone() bool {
	return slices.Contains([]string{gone, string(types.InstanceStateNameTerminated), string(types.InstanceStateNameShuttingDown)}, i.state)
}

// isStopped reports whether it may be started again.
func (i instance) isStopped() bool {
	return i.state == string(types.InstanceStateNameStopped) || i.state == string(types.InstanceStateNameStopping)
}

// String is for a list of candidates.
func (i instance) String() string {
	if i.ip == "" {
		return fmt.Sprintf("%s (%s, %s)", i.id, i.state, i.vpc)
	}
	return fmt.Sprintf("%s (%s, %s, %s)", i.id, i.ip, i.state, i.vpc)
}

// brief is for one among others.
func (i instance) brief() string {
	if i.name == "" {
		return fmt.Sprintf("%s (%s)", i.id, i.state)
	}
	return fmt.Sprintf("%s (%s, %s)", i.id, i.name, i.state)
}

func list(instances []instance) string {
	var all []string
	for _, i := range instances {
		all = append(all, i.String())
	}
	return strings.Join(all, ", ")
}

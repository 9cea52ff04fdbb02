// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	componentbaseconfig "k8s.io/component-base/config"
)

// Validate reports what keeps an election with these settings from being held,
// such as a lease duration below the renew deadline; nil without --leader-elect.
func Validate(settings componentbaseconfig.LeaderElectionConfiguration) error {
	if !settings.LeaderElect {
		return nil
	}
	client, err := kubernetes.NewForConfig(&restclient.Config{}) // which is asked nothing
	if err != nil {
		return err
	}
	r := &runner{Config: Config{LeaderElectionConfiguration: settings, Client: client}, identity: "validation"}
	_, err = leaderelection.NewLeaderElector(r.electorConfig(NewFence(0), new(campaign), leaderelection.LeaderCallbacks{
		OnStartedLeading: func(context.Context) {},
		OnStoppedLeading: func() {},
	}))
	if err != nil {
		return fmt.Errorf("--leader-elect-lease-duration, --leader-elect-renew-deadline, --leader-elect-retry-period: %w", err)
	}
	return nil
}

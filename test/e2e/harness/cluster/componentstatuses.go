// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// ComponentHealth reads the output of `kubectl get componentstatuses -o json`:
// for each component whether it is Healthy.
func ComponentHealth(output string) (map[string]bool, error) {
	var list corev1.ComponentStatusList
	if err := json.Unmarshal([]byte(output), &list); err != nil {
		return nil, fmt.Errorf("reading componentstatuses: %w", err)
	}
	health := map[string]bool{}
	for _, s := range list.Items {
		for _, c := range s.Conditions {
			if c.Type == corev1.ComponentHealthy {
				health[s.Name] = c.Status == corev1.ConditionTrue
			}
		}
	}
	return health, nil
}

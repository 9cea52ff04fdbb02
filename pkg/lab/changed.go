// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"slices"
	"strings"
)

// changedValues are the flags that keep their name but some of whose old values
// are refused today. Each function returns the value in today's form, empty when
// nothing is left of it, and what was done.
var changedValues = map[Component]map[string]func(string) (value, why string){
	APIServer: {
		"admission-control": withoutInitializers,
		disableAdmission:    withoutInitializers,
		enableAdmission:     withoutInitializers,
		"runtime-config":    withValues,
	},
	ControllerManager: {"leader-elect-resource-lock": leasesOnly},
	Scheduler:         {"leader-elect-resource-lock": leasesOnly},
}

func withoutInitializers(list string) (value, why string) {
	rest := slices.DeleteFunc(strings.Split(list, ","), func(p string) bool { return p == "Initializers" })
	return strings.Join(rest, ","), "Initializers was removed in v1.14 and is left out"
}

// withValues gives every key of --runtime-config without a value the one that
// it stood for.
func withValues(config string) (value, why string) {
	keys := strings.Split(config, ",")
	for i, k := range keys {
		if k = strings.TrimSpace(k); k != "" && !strings.Contains(k, "=") {
			keys[i] = k + "=true"
		}
	}
	value = strings.Join(keys, ",")
	return value, "a key needs a value today; using " + value
}

// oldLocks are the kinds of lock that there were before.
var oldLocks = []string{"endpoints", "configmaps", "endpointsleases", "configmapsleases"}

const leaseLock = "leases"

func leasesOnly(lock string) (value, why string) {
	if slices.Contains(oldLocks, lock) {
		return leaseLock, leaseLock + " are the only lock today; using them in place of " + lock
	}
	return lock, ""
}

// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/klog/v2"
)

// logEtcdClient logs a line of etcd's client, which is JSON, with klog.
func logEtcdClient(data []byte) {
	level, text := parseEtcdClient(data)
	switch level {
	case "warn":
		klog.Warning(text)
	case "debug", "info":
		if everything() {
			klog.Info(text)
		}
	default:
		klog.Error(text)
	}
}

// parseEtcdClient returns a line's level and, in the way of klog's structured
// lines, what it says. What is not in its form is told as an error.
func parseEtcdClient(data []byte) (level, text string) {
	var values map[string]any
	if err := json.Unmarshal(data, &values); err != nil {
		return "error", "etcd-client: " + strings.TrimSpace(string(data))
	}
	level, _ = values["level"].(string)
	var b strings.Builder
	fmt.Fprintf(&b, "%q", values["msg"])
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains([]string{"level", "ts", "msg", "stacktrace"}, key) {
			fmt.Fprintf(&b, " %s=%q", key, fmt.Sprint(values[key]))
		}
	}
	return level, b.String()
}

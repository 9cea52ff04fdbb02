// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"os"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	restclient "k8s.io/client-go/rest"
	logsapi "k8s.io/component-base/logs/api/v1"

	"github.com/khw-controller/khw-controller/pkg/logging"
	"github.com/khw-controller/khw-controller/pkg/plan"
)

// applyProcessWide sets what exists once per process: feature gates, logging,
// and the silence about API warnings that the stock commands keep
// (cmd/kube-apiserver/app/server.go, NewAPIServerCommand).
func applyProcessWide(p *plan.Plan) error {
	registry := p.APIServer.GenericServerRunOptions.ComponentGlobalsRegistry
	if err := registry.Set(); err != nil {
		return fmt.Errorf("--feature-gates: %w", err)
	}
	gates := registry.FeatureGateFor("kube")
	if err := logsapi.ValidateAndApply(p.APIServer.Logs, gates); err != nil {
		return fmt.Errorf("--logging-format, --v: %w", err)
	}
	logging.Use(os.Stderr, p.APIServer.Logs)
	restclient.SetDefaultWarningHandler(restclient.NoWarnings{})
	registry.AddMetrics()
	utilfeature.DefaultMutableFeatureGate.AddMetrics()
	return nil
}

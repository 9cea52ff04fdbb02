// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"errors"
	"net/http"
	goruntime "runtime"

	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/routes"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/informers"
	"k8s.io/component-base/configz"
	"k8s.io/component-base/logs"
	"k8s.io/kubernetes/pkg/scheduler/metrics/resources"

	"github.com/khw-controller/khw-controller/pkg/lab"
)

// pages tells what the secure port can show at present.
type pages struct {
	synced  bool // caches are full
	leading bool
	pods    informers.SharedInformerFactory // for /metrics/resources, or nil
}

var errNotSynced = errors.New("handlers are not fully synchronized")

// newMux returns the pages of the stock secure port
// (cmd/kube-scheduler/app/server.go, newEndpointsHandler).
func (r *replica) newMux(p pages) *mux.PathRecorderMux {
	checks := r.HealthChecks()
	synced := healthz.NamedCheck("sched-handler-sync", func(*http.Request) error {
		if !p.synced {
			return errNotSynced
		}
		return nil
	})
	m := mux.NewPathRecorderMux(string(lab.Scheduler))
	healthz.InstallHandler(m, checks...)
	healthz.InstallLivezHandler(m)
	healthz.InstallReadyzHandler(m, append(checks, synced)...)
	configz.InstallHandler(m)
	resourceMetrics := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if p.leading {
		resourceMetrics = resources.Handler(p.pods.Core().V1().Pods().Lister())
	}
	m.Handle("/metrics/resources", resourceMetrics)
	if r.config.ComponentConfig.EnableProfiling {
		routes.Profiling{}.Install(m)
		if r.config.ComponentConfig.EnableContentionProfiling {
			goruntime.SetBlockProfileRate(1)
		}
		routes.DebugFlags{}.Install(m, "v", routes.StringFlagPutHandler(logs.GlogSetter))
	}
	r.InstallPages(m, r.config.Flagz, compatibility.DefaultBuildEffectiveVersion())
	return m
}

// standBy serves the pages of a replica whose caches are not filled.
func (r *replica) standBy() { r.Serve(r.newMux(pages{})) }

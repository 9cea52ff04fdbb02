// SPDX-License-Identifier: Apache-2.0

package scheduler

import (
	"errors"
	"net/http"
	goruntime "runtime"

	"k8s.io/apimachinery/pkg/runtime"
	genericapifilters "k8s.io/apiserver/pkg/endpoints/filters"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericfilters "k8s.io/apiserver/pkg/server/filters"
	"k8s.io/apiserver/pkg/server/flagz"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/routes"
	"k8s.io/apiserver/pkg/server/statusz"
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/component-base/configz"
	"k8s.io/component-base/logs"
	"k8s.io/component-base/metrics/prometheus/slis"
	zpagesfeatures "k8s.io/component-base/zpages/features"
	"k8s.io/kubernetes/pkg/scheduler/metrics/resources"

	"github.com/khw-controller/khw-controller/pkg/component/metrics"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// pages says what the secure port can show at present.
type pages struct {
	synced  bool // caches are full
	leading bool
	pods    informers.SharedInformerFactory // for /metrics/resources, or nil
}

var errNotSynced = errors.New("handlers are not fully synchronized")

// newMux returns the pages of the stock secure port
// (cmd/kube-scheduler/app/server.go, newEndpointsHandler).
func (c *candidate) newMux(p pages) *mux.PathRecorderMux {
	var checks []healthz.HealthChecker
	if c.watchdog != nil {
		checks = append(checks, c.watchdog)
	}
	synced := healthz.NamedCheck("sched-handler-sync", func(*http.Request) error {
		if !p.synced {
			return errNotSynced
		}
		return nil
	})
	m := mux.NewPathRecorderMux(string(lab.Scheduler))
	healthz.InstallHandler(m, checks...)
	healthz.InstallLivezHandler(m)
	healthz.InstallReadyzHandler(m, append(checks[:len(checks):len(checks)], synced)...)
	configz.InstallHandler(m)
	m.Handle(metrics.Path, metrics.Page(lab.Scheduler))
	resourceMetrics := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if p.leading {
		resourceMetrics = resources.Handler(p.pods.Core().V1().Pods().Lister())
	}
	m.Handle("/metrics/resources", resourceMetrics)
	slis.SLIMetricsWithReset{}.Install(m)
	if c.shared.ComponentConfig.EnableProfiling {
		routes.Profiling{}.Install(m)
		if c.shared.ComponentConfig.EnableContentionProfiling {
			goruntime.SetBlockProfileRate(1)
		}
		routes.DebugFlags{}.Install(m, "v", routes.StringFlagPutHandler(logs.GlogSetter))
	}
	if utilfeature.DefaultFeatureGate.Enabled(zpagesfeatures.ComponentFlagz) && c.shared.Flagz != nil {
		flagz.Install(m, string(lab.Scheduler), c.shared.Flagz)
	}
	if utilfeature.DefaultFeatureGate.Enabled(zpagesfeatures.ComponentStatusz) {
		statusz.Install(m, string(lab.Scheduler), statusz.NewRegistry(compatibility.DefaultBuildEffectiveVersion(), statusz.WithListedPaths(m.ListedPaths())))
	}
	return m
}

// standBy serves the pages of a replica whose caches are not filled.
func (c *candidate) standBy() { c.handler.Set(c.newMux(pages{})) }

// protected is what the secure port serves: the current pages behind
// authentication and authorization (the stock buildHandlerChain).
func (c *candidate) protected() http.Handler {
	codecs := scheme.Codecs
	info := &apirequest.RequestInfoFactory{}
	denied := genericapifilters.Unauthorized(runtime.NegotiatedSerializer(codecs))
	var handler http.Handler = c.handler
	handler = genericapifilters.WithAuthorization(handler, c.shared.Authorization.Authorizer, codecs)
	handler = genericapifilters.WithAuthentication(handler, c.shared.Authentication.Authenticator, denied, nil, nil)
	handler = genericapifilters.WithRequestInfo(handler, info)
	handler = genericapifilters.WithCacheControl(handler)
	handler = genericfilters.WithHTTPLogging(handler)
	return genericfilters.WithPanicRecovery(handler, info)
}

// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	cacheddiscovery "k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	controllersmetrics "k8s.io/component-base/metrics/prometheus/controllers"
	"k8s.io/controller-manager/pkg/clientbuilder"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/names"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"

	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// mapperRefresh is how often the REST mapper looks for new kinds, as stock.
const mapperRefresh = 30 * time.Second

// clientBuilders returns the full-power builder and the one that gives each
// controller its own service account
// (cmd/kube-controller-manager/app/controllermanager.go, createClientBuilders), both
// behind fence.
func (t *term) clientBuilders(fence *election.Fence) (root, perController clientbuilder.ControllerClientBuilder, err error) {
	full := restclient.CopyConfig(t.config.Kubeconfig)
	full.Wrap(t.rights.Wrap)
	full.Wrap(fence.Wrap)
	root = clientbuilder.SimpleControllerClientBuilder{ClientConfig: full}
	if !t.config.ComponentConfig.KubeCloudShared.UseServiceAccountCredentials {
		return root, root, nil
	}
	client, err := clientset.NewForConfig(restclient.AddUserAgent(full, string(lab.ControllerManager)))
	if err != nil {
		return nil, nil, err
	}
	anonymous := restclient.AnonymousClientConfig(t.config.Kubeconfig)
	anonymous.Wrap(t.config.Kubeconfig.WrapTransport)
	anonymous.Wrap(t.rights.Wrap)
	anonymous.Wrap(fence.Wrap)
	return root, clientbuilder.NewDynamicClientBuilder(anonymous, client.CoreV1(), metav1.NamespaceSystem), nil
}

// newContext is the stock one (cmd/kube-controller-manager/app/controllermanager.go,
// CreateControllerContext), except that the name of its
// informers is the term's and can be released, and that it does not wait for
// the apiserver: that is up before this component is started.
func (t *term) newContext(ctx context.Context, root, perController clientbuilder.ControllerClientBuilder) (app.ControllerContext, error) {
	none := app.ControllerContext{}
	client, err := root.Client("shared-informers")
	if err != nil {
		return none, fmt.Errorf("making the informers' client: %w", err)
	}
	resync := app.ResyncPeriod(t.config)
	shared := informers.NewSharedInformerFactoryWithOptions(client, resync(),
		informers.WithTransform(trimManagedFields), informers.WithInformerName(t.name))
	metadataConfig, err := root.Config("metadata-informers")
	if err != nil {
		return none, err
	}
	metadataClient, err := metadata.NewForConfig(metadataConfig)
	if err != nil {
		return none, fmt.Errorf("making the metadata client: %w", err)
	}
	metadataInformers := metadatainformer.NewSharedInformerFactoryWithOptions(metadataClient, resync(),
		metadatainformer.WithTransform(trimManagedFields))
	discovery, err := root.DiscoveryClient("controller-discovery")
	if err != nil {
		return none, fmt.Errorf("making the discovery client: %w", err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cacheddiscovery.NewMemCacheClient(discovery))
	go wait.Until(mapper.Reset, mapperRefresh, ctx.Done())

	c := app.ControllerContext{
		ClientBuilder:                   perController,
		InformerFactory:                 shared,
		ObjectOrMetadataInformerFactory: informerfactory.NewInformerFactory(shared, metadataInformers),
		ComponentConfig:                 t.config.ComponentConfig,
		RESTMapper:                      mapper,
		InformersStarted:                make(chan struct{}),
		ResyncPeriod:                    resync,
		ControllerManagerMetrics:        controllersmetrics.NewControllerManagerMetrics(string(lab.ControllerManager)),
	}
	if t.config.ComponentConfig.GarbageCollectorController.EnableGarbageCollector &&
		c.IsControllerEnabled(app.NewControllerDescriptors()[names.GarbageCollectorController]) {
		c.GraphBuilder = garbagecollector.NewDependencyGraphBuilder(ctx, metadataClient, mapper,
			t.ignoredByGarbageCollector(), c.ObjectOrMetadataInformerFactory, c.InformersStarted)
	}
	return c, nil
}

func (t *term) ignoredByGarbageCollector() map[schema.GroupResource]struct{} {
	ignored := map[schema.GroupResource]struct{}{}
	for _, r := range t.config.ComponentConfig.GarbageCollectorController.GCIgnoredResources {
		ignored[schema.GroupResource{Group: r.Group, Resource: r.Resource}] = struct{}{}
	}
	return ignored
}

// trimManagedFields drops what no controller reads, as stock.
func trimManagedFields(obj any) (any, error) {
	if accessor, err := meta.Accessor(obj); err == nil && accessor.GetManagedFields() != nil {
		accessor.SetManagedFields(nil)
	}
	return obj, nil
}

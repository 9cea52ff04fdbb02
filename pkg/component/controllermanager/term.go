// SPDX-License-Identifier: Apache-2.0

package controllermanager

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/configz"
	"k8s.io/component-base/metrics/prometheus/controllers"
	"k8s.io/controller-manager/pkg/clientbuilder"
	configv1alpha1 "k8s.io/kube-controller-manager/config/v1alpha1"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	configv1alpha1conversion "k8s.io/kubernetes/pkg/controller/apis/config/v1alpha1"

	"github.com/khw-controller/khw-controller/pkg/election"
	"github.com/khw-controller/khw-controller/pkg/lab"
)

// term is one prepared term: clients behind its fence, and informers that fill
// their caches already.
type term struct {
	*candidate
	name    *cache.InformerName
	context app.ControllerContext
	gate    *gate
	root    clientbuilder.ControllerClientBuilder
}

// Prepare starts the term's informers and registers its configz page.
func (t *candidate) Prepare(ctx context.Context, fence *election.Fence) (election.Term, error) {
	name, err := cache.NewInformerName(string(lab.ControllerManager))
	if err != nil {
		return nil, err
	}
	n := &term{candidate: t, name: name, gate: &gate{ended: ctx.Done()}}
	if err := n.prepare(ctx, fence); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

func (n *term) prepare(ctx context.Context, fence *election.Fence) error {
	if err := registerConfigz(n.candidate); err != nil {
		return err
	}
	root, perController, err := n.clientBuilders(fence)
	if err != nil {
		return err
	}
	n.root = root
	if n.context, err = n.newContext(ctx, root, perController); err != nil {
		return err
	}
	n.warmUp(ctx)
	controllers.Register()
	return nil
}

// Lead builds and runs all controllers, as the stock Run does once it leads.
func (n *term) Lead(ctx context.Context) error {
	mux, health := n.newMux()
	descriptors := app.NewControllerDescriptors()
	delete(descriptors, serviceAccountTokens)
	// The token controller comes first: others may need the tokens it mints.
	tokens, err := n.newTokensController(ctx)
	if err != nil {
		return err
	}
	all, err := app.BuildControllers(ctx, n.context, descriptors, mux, health)
	if err != nil {
		return fmt.Errorf("building controllers: %w", err)
	}
	if tokens != nil {
		all = append([]app.Controller{tokens}, all...)
		addPing(health, serviceAccountTokens)
	}
	n.handler.Set(mux)
	defer n.standBy()

	if err := n.gate.release(); err != nil {
		return fmt.Errorf("adding the controllers' handlers: %w", err)
	}
	n.context.InformerFactory.Start(ctx.Done())
	n.context.ObjectOrMetadataInformerFactory.Start(ctx.Done())
	close(n.context.InformersStarted)
	if !app.RunControllers(ctx, n.context, all, app.ControllerStartJitter, n.config.ControllerShutdownTimeout) {
		return errors.New("some controllers did not stop within --controller-shutdown-timeout")
	}
	return nil
}

// Close stops the informers and gives back the process-wide names that a next
// term registers again.
func (n *term) Close() {
	if n.context.InformerFactory != nil {
		n.context.InformerFactory.Shutdown()
	}
	configz.Delete(app.ConfigzName)
	n.name.Release()
}

func registerConfigz(t *candidate) error {
	external := &configv1alpha1.KubeControllerManagerConfiguration{}
	if err := configv1alpha1conversion.Convert_config_KubeControllerManagerConfiguration_To_v1alpha1_KubeControllerManagerConfiguration(&t.config.ComponentConfig, external, nil); err != nil {
		return fmt.Errorf("converting its configuration for /configz: %w", err)
	}
	external.SetGroupVersionKind(configv1alpha1.SchemeGroupVersion.WithKind("KubeControllerManagerConfiguration"))
	page, err := configz.New(app.ConfigzName)
	if err != nil {
		return err
	}
	return page.Set(external)
}

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
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/config"
	"k8s.io/kubernetes/cmd/kube-controller-manager/names"
	configv1alpha1conversion "k8s.io/kubernetes/pkg/controller/apis/config/v1alpha1"

	"github.com/khw-controller/khw-controller/pkg/component/elected"
	"github.com/khw-controller/khw-controller/pkg/denial"
	"github.com/khw-controller/khw-controller/pkg/election"
)

// replica is one Manager while it runs, with what all its terms share.
type replica struct {
	*elected.Replica
	config *config.CompletedConfig
	rights *denial.Rights
}

// term is one term: clients behind its fence, and informers that fill their
// caches already.
type term struct {
	*replica
	name     *cache.InformerName
	context  app.ControllerContext
	handlers *deferredHandlers
	root     clientbuilder.ControllerClientBuilder
}

func (r *replica) newTerm(name *cache.InformerName) elected.Term {
	return &term{replica: r, name: name}
}

// Prepare starts the term's informers and registers its configz page.
func (t *term) Prepare(ctx context.Context, fence *election.Fence) error {
	if err := t.registerConfigz(); err != nil {
		return err
	}
	root, perController, err := t.clientBuilders(fence)
	if err != nil {
		return err
	}
	t.root = root
	if t.context, err = t.newContext(ctx, root, perController); err != nil {
		return err
	}
	t.handlers = &deferredHandlers{ended: ctx.Done()}
	t.warmUp(ctx)
	controllers.Register()
	return nil
}

// Lead builds and runs all controllers, as the stock component does once it leads
// (cmd/kube-controller-manager/app/controllermanager.go, Run).
func (t *term) Lead(ctx context.Context, acting func()) error {
	mux, health := t.newMux()
	descriptors := app.NewControllerDescriptors()
	delete(descriptors, serviceAccountTokens)
	// The token controller comes first: others may need the tokens it mints.
	tokens, err := t.newTokensController(ctx)
	if err != nil {
		return err
	}
	signers, err := t.signers(descriptors)
	if err != nil {
		return err
	}
	defer signers.close()
	all, err := app.BuildControllers(ctx, t.context, descriptors, mux, health)
	if err != nil {
		return fmt.Errorf("building controllers: %w", err)
	}
	if tokens != nil {
		all = append([]app.Controller{tokens}, all...)
		addPing(health, serviceAccountTokens)
	}
	t.Serve(mux)
	defer t.standBy()

	if err := t.handlers.release(); err != nil {
		return fmt.Errorf("adding the controllers' handlers: %w", err)
	}
	defer signers.follow(ctx)()
	t.context.InformerFactory.Start(ctx.Done())
	t.context.ObjectOrMetadataInformerFactory.Start(ctx.Done())
	close(t.context.InformersStarted)
	acting()
	if !app.RunControllers(ctx, t.context, all, app.ControllerStartJitter, t.config.ControllerShutdownTimeout) {
		return errors.New("some controllers did not stop within --controller-shutdown-timeout")
	}
	return nil
}

// signers gives the controllers of this term the CAs that sign; the page of the
// configuration has the user's files.
func (t *term) signers(descriptors map[string]*app.ControllerDescriptor) (signers, error) {
	if !t.context.IsControllerEnabled(descriptors[names.CertificateSigningRequestSigningController]) {
		return nil, nil
	}
	return newSigners(&t.context.ComponentConfig.CSRSigningController)
}

// Close stops the informers.
func (t *term) Close() {
	if t.context.InformerFactory != nil {
		t.context.InformerFactory.Shutdown()
	}
}

func (r *replica) registerConfigz() error {
	external := &configv1alpha1.KubeControllerManagerConfiguration{}
	if err := configv1alpha1conversion.Convert_config_KubeControllerManagerConfiguration_To_v1alpha1_KubeControllerManagerConfiguration(&r.config.ComponentConfig, external, nil); err != nil {
		return fmt.Errorf("converting its configuration for /configz: %w", err)
	}
	external.SetGroupVersionKind(configv1alpha1.SchemeGroupVersion.WithKind("KubeControllerManagerConfiguration"))
	page, err := configz.New(app.ConfigzName)
	if err != nil {
		return err
	}
	return page.Set(external)
}

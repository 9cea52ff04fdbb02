// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/kubernetes/pkg/controlplane"
	controlplaneapiserver "k8s.io/kubernetes/pkg/controlplane/apiserver"
)

func TestHooksAreReplacedWhereTheirResourcesAreServed(t *testing.T) {
	rbac, scheduling := rbacv1.SchemeGroupVersion, schedulingv1.SchemeGroupVersion
	for name, test := range map[string]struct {
		off  []schema.GroupVersion
		want []string
	}{
		"both":            {nil, []string{"rbac/bootstrap-roles", "scheduling/bootstrap-system-priority-classes"}},
		"no RBAC":         {[]schema.GroupVersion{rbac}, []string{"scheduling/bootstrap-system-priority-classes"}},
		"no scheduling":   {[]schema.GroupVersion{scheduling}, []string{"rbac/bootstrap-roles"}},
		"none of the two": {[]schema.GroupVersion{rbac, scheduling}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			shared := sets.NewString("of all servers")
			config := &controlplane.Config{ControlPlane: controlplaneapiserver.Config{Generic: &genericapiserver.Config{DisabledPostStartHooks: shared}}}
			resources := controlplane.DefaultAPIResourceConfigSource()
			resources.DisableVersions(test.off...)
			config.ControlPlane.APIResourceConfigSource = resources
			var got []string
			for name := range replaceHooks(config) {
				got = append(got, name)
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("it replaces %v, want %v", got, test.want)
			}
			if want := sets.NewString(test.want...).Insert("of all servers"); !config.ControlPlane.Generic.DisabledPostStartHooks.Equal(want) {
				t.Errorf("disabled are %v", config.ControlPlane.Generic.DisabledPostStartHooks.List())
			}
			if shared.Len() != 1 {
				t.Errorf("the other servers' are %v", shared.List())
			}
		})
	}
}

func TestHooksTryForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, tries := time.Now(), 0
		err := ensure(func(context.Context, kubernetes.Interface) error {
			if tries++; tries < 4 {
				return errors.New("not yet")
			}
			return nil
		}).until(t.Context(), fake.NewClientset())
		if took := time.Since(begun); err != nil || took != 3*hookPoll {
			t.Errorf("it takes %s, %v", took, err)
		}
		begun = time.Now()
		err = ensure(func(context.Context, kubernetes.Interface) error { return errors.New("no space") }).until(t.Context(), fake.NewClientset())
		if took := time.Since(begun); took != hookTimeout || err == nil || !strings.Contains(err.Error(), "no space") {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

func TestAStartWaitsForNoWebhook(t *testing.T) {
	policy := &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "policy"}, Webhooks: []admissionv1.MutatingWebhook{{Name: "roles.example.com"}},
	}
	refused := errors.New(`ClusterRole x: Internal error occurred: failed calling webhook "roles.example.com": service "gone" not found`)
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, test := range map[string]struct {
		ensure   func(context.Context) error
		webhooks []runtime.Object
		takes    time.Duration
		fails    bool
	}{
		"refused":              {func(context.Context) error { return errors.Join(refused, refused) }, nil, 0, false},
		"refused among others": {func(context.Context) error { return errors.Join(refused, errors.New("no space")) }, nil, hookTimeout, true},
		"one that hangs":       {hang, []runtime.Object{policy}, slowAfter, false},
		"hanging without one":  {hang, nil, hookTimeout, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				err := ensure(func(ctx context.Context, _ kubernetes.Interface) error { return test.ensure(ctx) }).until(ctx, fake.NewClientset(test.webhooks...))
				if took := time.Since(begun); took != test.takes || (err != nil) != test.fails {
					t.Errorf("it takes %s and ends with %v, want %s", took, err, test.takes)
				}
			})
		})
	}
}

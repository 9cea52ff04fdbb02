// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	restclient "k8s.io/client-go/rest"

	"github.com/khw-controller/khw-controller/pkg/config"
	"github.com/khw-controller/khw-controller/pkg/lab"
	"github.com/khw-controller/khw-controller/pkg/status"
	"github.com/khw-controller/khw-controller/pkg/supervisor"
)

func TestTheWebhookThatRefusesTheLeasesIsNamedOnce(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var list any
		switch {
		case strings.HasSuffix(r.URL.Path, "/validatingwebhookconfigurations"):
			list = admissionv1.ValidatingWebhookConfigurationList{
				TypeMeta: metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfigurationList"},
				Items: []admissionv1.ValidatingWebhookConfiguration{{
					ObjectMeta: metav1.ObjectMeta{Name: "policy"}, Webhooks: []admissionv1.ValidatingWebhook{{Name: "all.example.com"}},
				}},
			}
		case strings.HasSuffix(r.URL.Path, "/mutatingwebhookconfigurations"):
			list = admissionv1.MutatingWebhookConfigurationList{
				TypeMeta: metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfigurationList"},
			}
		default:
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list)
	}))
	defer api.Close()
	p, life, _ := observed(t, config.Config{})
	const refused = `nobody leads; it cannot be taken: Internal error occurred: failed calling webhook "all.example.com": service "gone" not found`
	statuses := []supervisor.Status{
		{Component: etcdName, State: supervisor.Starting},
		{Component: string(lab.ControllerManager), State: supervisor.Standby, Detail: refused},
		{Component: string(lab.Scheduler), State: supervisor.Standby, Unhealthy: refused, Detail: refused},
	}
	config := &restclient.Config{Host: api.URL}
	serving := true
	o, err := newObserver(p, func() []supervisor.Status { return statuses }, func() (*restclient.Config, error) {
		if !serving {
			return notServing()
		}
		return config, nil
	}, life, newFileWatch(p, nil), noDeparture())
	if err != nil {
		t.Fatal(err)
	}
	closed(t, o)
	r := o.look(t.Context(), time.Minute)
	const what = `admission webhook "all.example.com" refuses the leases, so that no controller of the cluster can lead; `
	if want := []string{what + "delete it, or mend its service: khw-controller kubectl delete validatingwebhookconfiguration/policy"}; !slices.Equal(r.Problems, want) {
		t.Errorf("the problems are %q, want %q", r.Problems, want)
	}
	if r.Status != status.Degraded {
		t.Errorf("it is %s", r.Status)
	}
	statuses = append(statuses[:1], supervisor.Status{Component: bootstrapName, State: supervisor.Leading, Unhealthy: `ClusterRole x: failed calling webhook "all.example.com": no such service`})
	const objects = `admission webhook "all.example.com" refuses objects that this cluster is to have; they are made when it accepts them; `
	if r := o.look(t.Context(), time.Minute); len(r.Problems) != 1 || !strings.HasPrefix(r.Problems[0], objects+"delete it") {
		t.Errorf("where no lease is refused, the problems are %q", r.Problems)
	}
	statuses[1] = supervisor.Status{Component: bootstrapName, State: supervisor.Standby, Detail: refused}
	serving = false
	if r := o.look(t.Context(), time.Minute); len(r.Problems) != 1 || !strings.HasPrefix(r.Problems[0], what+"find who has it") {
		t.Errorf("where the apiserver cannot be asked, the problems are %q", r.Problems)
	}
}

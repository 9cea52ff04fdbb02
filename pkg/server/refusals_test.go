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

// TestTheWebhookThatHoldsTheLeasesIsNamed has who sends a lease give up before the
// webhook fails: only who waits for it hears its name.
func TestTheWebhookThatHoldsTheLeasesIsNamed(t *testing.T) {
	release := make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/namespaces/kube-system/leases") || r.URL.Query().Get("dryRun") != "All" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		<-release
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500,
			"message": "Internal error occurred: failed calling webhook \"all.example.com\": failed to call webhook: context deadline exceeded"}`))
	}))
	defer api.Close()
	p, life, _ := observed(t, config.Config{})
	trouble := supervisor.Status{Component: string(lab.Scheduler), State: supervisor.Standby, Unhealthy: "nobody leads; it cannot be taken: context deadline exceeded"}
	o, err := newObserver(p, func() []supervisor.Status { return []supervisor.Status{trouble} },
		func() (*restclient.Config, error) { return &restclient.Config{Host: api.URL}, nil }, life, newFileWatch(p, nil), noDeparture())
	if err != nil {
		t.Fatal(err)
	}
	closed(t, o)
	o.strain.leases = []leaseOf{{component: string(lab.Scheduler)}}
	components := []supervisor.Status{trouble}
	if said := o.refusals(t.Context(), components, 0); len(said) != 0 {
		t.Errorf("before it is known, it is %q", said)
	}
	close(release)
	said := o.refusals(t.Context(), components, time.Minute)
	if len(said) != 1 || !strings.HasPrefix(said[0], `admission webhook "all.example.com" refuses the leases`) {
		t.Errorf("it says %q", said)
	}
	components[0].Component = healthProxyName // has no lease
	if said := o.refusals(t.Context(), components, time.Minute); len(said) != 0 {
		t.Errorf("of another component it says %q", said)
	}
}

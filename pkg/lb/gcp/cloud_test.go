// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

func TestHealth(t *testing.T) {
	for _, kind := range Types {
		t.Run(kind, func(t *testing.T) {
			l := newLab(t, kind)
			l.complete()
			l.AddInstance("us-west1-a", "worker-0", network, "RUNNING")
			worker := "zones/us-west1-a/instances/worker-0"
			if kind == TargetPool {
				l.Edit(poolAt, map[string]any{"instances": []any{l.Link("zones/us-west1-a/instances/controller-0"), l.Link("zones/us-west1-b/instances/controller-1"), l.Link(worker)}})
			} else {
				l.Members(groupAAt, "zones/us-west1-a/instances/controller-0", worker)
				l.Members("zones/us-west1-c/instanceGroups/kubernetes-controllers")
			}
			l.SetHealth("us-west1-a", "controller-0", "HEALTHY")
			l.SetHealth("us-west1-a", "worker-0", "UNHEALTHY")
			cloud, err := l.open(hasty())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := lb.NewPlan(t.Context(), cloud); err != nil {
				t.Fatal(err)
			}
			health, err := cloud.Health(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			reason := "http://worker-0:80/healthz does not answer the health checks with 200; on it, try curl -i http://127.0.0.1:80/healthz, and see firewall rule kubernetes-the-hard-way-allow-health-check"
			want := []lb.InstanceHealth{
				{Name: "controller-0", ID: "us-west1-a", InService: true, State: "HEALTHY", Machine: "RUNNING", Ours: true},
				{Name: "controller-1", ID: "us-west1-b", State: "UNKNOWN", Reason: "not probed yet", Machine: "RUNNING", Ours: true},
				{Name: "controller-2", ID: "us-west1-c", State: "not registered", Machine: "RUNNING", Ours: true},
				{Name: "worker-0", ID: "us-west1-a", State: "UNHEALTHY", Reason: reason, Machine: "RUNNING"},
			}
			for i, h := range health {
				if h.MachineSince == nil || h.MachineSince.Year() != 2026 {
					t.Errorf("%s runs since %v", h.Name, h.MachineSince)
				}
				health[i].MachineSince = nil
			}
			if !slices.Equal(health, want) {
				t.Errorf("got %+v\nwant %+v", health, want)
			}
			if cloud.Address() != "203.0.113.80" {
				t.Errorf("its address is %q", cloud.Address())
			}
		})
	}
}

// TestNoCredentialsInTheClear has credentials at hand and an endpoint without
// TLS: they are not sent.
func TestNoCredentialsInTheClear(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(file, []byte(`{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	l := newLab(t, TargetPool)
	l.complete()
	for _, c := range l.Calls() {
		if c.Authorized {
			t.Fatalf("%s bears credentials", c.Method)
		}
	}
}

// TestNoCredentials names a file that is not there: without one, the SDK would
// look for a metadata service.
func TestNoCredentials(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "key.json")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", missing)
	cfg := Default()
	cfg.Project, cfg.Region = "hard-way", "us-west1"
	_, err := New(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), "gcloud auth application-default login") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

func TestNoPlace(t *testing.T) {
	for flag, spoil := range map[string]func(*Config){"--project": func(c *Config) { c.Project = "" }, "--region": func(c *Config) { c.Region = "" }} {
		cfg := newLab(t, TargetPool).cfg
		spoil(&cfg)
		if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// TestExplain is of answers that no other test meets.
func TestExplain(t *testing.T) {
	l := newLab(t, TargetPool)
	cases := map[string]struct{ message, want string }{
		"accessNotConfigured":     {"Compute Engine API has not been used in project 42 before or it is disabled.", "run gcloud services enable compute.googleapis.com --project hard-way"},
		"insufficientPermissions": {"Request had insufficient authentication scopes.", "give this instance the scope cloud-platform"},
	}
	for reason, test := range cases {
		l.Heal()
		fault := failures["403"]
		fault.Method, fault.Reason, fault.Message = "compute.addresses.get", reason, test.message
		l.Inject(fault)
		if _, err := l.plan(hasty()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", reason, err)
		}
	}
	l.Heal()
	for _, kind := range Types {
		for says, change := range map[string]func(*Config){
			"correct --project or --region":             func(c *Config) { c.Project = "soft-way" },
			"gcp has no region mars1; correct --region": func(c *Config) { c.Region = "mars1" },
		} {
			l := newLab(t, kind)
			change(&l.cfg)
			if _, err := l.plan(hasty()); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want %q", kind, err, says)
			}
		}
	}
	fault := failures["403"]
	fault.Method, fault.Code, fault.Reason, fault.Message = "compute.addresses.get", 401, "authError", "Invalid Credentials"
	l.Inject(fault)
	if _, err := l.plan(hasty()); err == nil || !strings.Contains(err.Error(), "does not accept the credentials") {
		t.Errorf("401: %v", err)
	}
}

// TestUnreached has nobody listen, and then a service of tokens that gives none.
func TestUnreached(t *testing.T) {
	l := newLab(t, TargetPool)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	l.cfg.Endpoint = "http://" + nobody.Addr().String() + "/compute/v1/"
	if _, err := l.plan(hasty()); err == nil || !strings.Contains(err.Error(), "cannot be reached: ") || !strings.Contains(err.Error(), "check the network") {
		t.Errorf("%v", err)
	}

	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Account has been deleted"}`)
	}))
	defer tokens.Close()
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", serviceAccount(t, tokens.URL))
	l.cfg.Endpoint = "https://127.0.0.1:1/compute/v1/"
	if _, err := l.plan(hasty()); err == nil || !strings.Contains(err.Error(), "Account has been deleted") || !strings.Contains(err.Error(), "gcloud auth application-default login") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

// serviceAccount writes the key file of one whose tokens come from a URL.
func serviceAccount(t *testing.T, tokens string) string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "khw@hard-way.iam.gserviceaccount.com", "token_uri": tokens,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestStopsWhenInterrupted(t *testing.T) {
	l := newLab(t, TargetPool)
	plan, err := l.plan(hasty())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = plan.Apply(ctx, func(s lb.Step) {
		if s.Kind == "target pool" {
			cancel()
		}
	})
	if err == nil || !strings.Contains(err.Error(), "interrupted\ndone: http health check kubernetes, firewall rule") {
		t.Errorf("%v", err)
	}
	l.Settle()
	l.complete()
	l.converged()
}

// SPDX-License-Identifier: Apache-2.0

package address

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	tokenPath = "/latest/api/token"
	ipv4Path  = "/latest/meta-data/local-ipv4"
)

func google(flavor, ip string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/computeMetadata/v1/instance/network-interfaces/0/ip" || r.Header.Get("Metadata-Flavor") != "Google" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Metadata-Flavor", flavor)
		fmt.Fprint(w, ip)
	})
}

func amazon(v2 bool, ip string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && r.URL.Path == tokenPath && v2:
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
			fmt.Fprint(w, "token")
		case r.Method == http.MethodPut:
			http.Error(w, "", http.StatusNotFound)
		case r.URL.Path == ipv4Path && (!v2 || r.Header.Get("X-Aws-Ec2-Metadata-Token") == "token"):
			fmt.Fprint(w, ip)
		default:
			http.Error(w, "", http.StatusUnauthorized)
		}
	})
}

func hangs() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

func absent() http.Handler { return http.NotFoundHandler() }

func TestDetect(t *testing.T) {
	route := func() (net.IP, error) { return net.IPv4(192, 0, 2, 9), nil }
	noRoute := func() (net.IP, error) { return nil, errors.New("no default routes") }
	tests := map[string]struct {
		gcp, aws http.Handler
		route    func() (net.IP, error)
		ip, from string
		err      string
	}{
		"on GCP":                     {google("Google", "10.240.0.10"), absent(), route, "10.240.0.10", "GCP metadata", ""},
		"on AWS, IMDSv2":             {absent(), amazon(true, "10.240.0.11"), route, "10.240.0.11", "AWS metadata (IMDSv2)", ""},
		"on AWS, v1 only":            {absent(), amazon(false, "10.240.0.11\n"), route, "10.240.0.11", "AWS metadata (IMDSv1)", ""},
		"on GCP, AWS hangs":          {google("Google", "10.240.0.10"), hangs(), route, "10.240.0.10", "GCP metadata", ""},
		"both hang":                  {hangs(), hangs(), route, "192.0.2.9", "the default route", ""},
		"something else answers":     {google("", "10.9.9.9"), absent(), route, "192.0.2.9", "the default route", ""},
		"garbage":                    {google("Google", "<html>"), amazon(true, "0.0.0.0"), route, "192.0.2.9", "the default route", ""},
		"no cloud":                   {absent(), absent(), route, "192.0.2.9", "the default route", ""},
		"no cloud and no route":      {absent(), absent(), noRoute, "", "", "no address to advertise was found"},
		"cloud, and no route at all": {google("Google", "10.240.0.10"), absent(), noRoute, "10.240.0.10", "GCP metadata", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g, a := httptest.NewServer(test.gcp), httptest.NewServer(test.aws)
			defer g.Close()
			defer a.Close()
			t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(g.URL, "http://"))
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", a.URL)
			t.Setenv("AWS_EC2_METADATA_DISABLED", "")
			got, err := detector{clouds: []source{gcp, aws}, defaultRoute: test.route, timeout: timeout}.detect(context.Background())
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.IP.String() != test.ip || got.Source != test.from {
				t.Errorf("got %s from %s", got.IP, got.Source)
			}
			if cloud, _, ok := strings.Cut(test.from, " metadata"); ok != (got.Cloud != "") || ok && got.Cloud != strings.ToLower(cloud) {
				t.Errorf("got the cloud %q from %s", got.Cloud, got.Source)
			}
		})
	}
}

// detect runs a detector with a default route, and fails the test where it does
// not return.
func detect(t *testing.T, timeout time.Duration, clouds ...source) {
	t.Helper()
	d := detector{clouds: clouds, timeout: timeout, defaultRoute: func() (net.IP, error) { return net.IPv4(192, 0, 2, 9), nil }}
	done := make(chan error, 1)
	go func() {
		r, err := d.detect(context.Background())
		if err == nil && !r.IP.Equal(net.IPv4(192, 0, 2, 9)) {
			err = fmt.Errorf("got %s from %s", r.IP, r.Source)
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}

func TestDetectDoesNotWaitForWhoDoesNotAnswer(t *testing.T) {
	forever := make(chan struct{})
	defer close(forever)
	deaf := func(context.Context) (Result, error) { <-forever; return Result{}, errors.New("late") }
	detect(t, 10*time.Millisecond, deaf, deaf)
}

func TestDetectDoesNotWaitWhereNobodyIs(t *testing.T) {
	refused := func(context.Context) (Result, error) { return Result{}, errors.New("connection refused") }
	detect(t, time.Hour, refused, refused)
}

func TestAClientGivesUpByItself(t *testing.T) {
	s := httptest.NewServer(hangs())
	defer s.Close()
	resp, err := client().Get(s.URL)
	if err == nil {
		resp.Body.Close()
	}
	if !os.IsTimeout(err) {
		t.Errorf("got %v, want a timeout", err)
	}
}

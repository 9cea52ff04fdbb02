// SPDX-License-Identifier: Apache-2.0

package address

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is a metadata service that remembers what it was asked.
type recorder struct {
	http.Handler
	mu    sync.Mutex
	asked []string
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.asked = append(r.asked, req.Method+" "+req.URL.Path)
	r.mu.Unlock()
	r.Handler.ServeHTTP(w, req)
}

func (r *recorder) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

// strictGoogle answers as GCP's service does: with its flavor even on errors, to
// nobody who does not name it, and to no proxy. The first answers are failures.
func strictGoogle(failures int, ip string) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Metadata-Flavor", "Google")
		w.Header().Set("Server", "Metadata Server for VM")
		switch {
		case r.Header.Get("Metadata-Flavor") != "Google":
			http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
		case r.Header.Get("X-Forwarded-For") != "":
			http.Error(w, "Forwarded requests are not allowed.", http.StatusForbidden)
		case r.Method != http.MethodGet:
			http.Error(w, "", http.StatusMethodNotAllowed)
		case failures > 0:
			failures--
			http.Error(w, "", http.StatusServiceUnavailable)
		case r.URL.Path != "/computeMetadata/v1/instance/network-interfaces/0/ip":
			http.NotFound(w, r)
		default:
			w.Header().Set("Content-Type", "application/text")
			w.Header().Set("Etag", "0123456789abcdef")
			fmt.Fprint(w, ip)
		}
	})
}

// strictAmazon answers as IMDS does where version 1 is off: a token for a PUT
// that says how long it wants one, and everything else for the latest token, if
// it accepts any.
func strictAmazon(accepts bool, ip string) http.Handler {
	var mu sync.Mutex
	issued := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Server", "EC2ws")
		ttl, err := strconv.Atoi(r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"))
		switch {
		case r.URL.Path == tokenPath && r.Method != http.MethodPut:
			http.Error(w, "", http.StatusMethodNotAllowed)
		case r.URL.Path == tokenPath && (err != nil || ttl < 1 || ttl > 21600 || r.Header.Get("X-Forwarded-For") != ""):
			http.Error(w, "", http.StatusBadRequest)
		case r.URL.Path == tokenPath:
			issued++
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", strconv.Itoa(ttl))
			fmt.Fprintf(w, "AQAEA-%d==", issued)
		case !accepts || r.Header.Get("X-Aws-Ec2-Metadata-Token") != fmt.Sprintf("AQAEA-%d==", issued):
			http.Error(w, "", http.StatusUnauthorized)
		case r.URL.Path != ipv4Path:
			http.NotFound(w, r)
		default:
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, ip)
		}
	})
}

// answers always answers with a status.
func answers(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

// tokenless is IMDS but for how it answers who wants a token.
func tokenless(token http.HandlerFunc) http.Handler {
	rest := strictAmazon(true, "10.240.0.11")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == tokenPath {
			token(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

func TestMetadataServices(t *testing.T) {
	const googleIP = "GET /computeMetadata/v1/instance/network-interfaces/0/ip"
	const putToken, amazonIP = "PUT " + tokenPath, "GET " + ipv4Path
	tests := map[string]struct {
		gcp, aws http.Handler
		disabled string
		ip, from string
		// What each service is asked first, where that is of interest.
		gcpAsked, awsAsked []string
	}{
		"GCP, to the letter":           {gcp: strictGoogle(0, "10.240.0.10"), aws: absent(), ip: "10.240.0.10", from: "GCP metadata", gcpAsked: []string{googleIP}},
		"GCP is busy once":             {gcp: strictGoogle(1, "10.240.0.10"), aws: absent(), ip: "10.240.0.10", from: "GCP metadata", gcpAsked: []string{googleIP, googleIP}},
		"GCP is busy all the time":     {gcp: strictGoogle(1000, "10.240.0.10"), aws: absent(), ip: "192.0.2.9", from: "the default route"},
		"GCP has no interface":         {gcp: strictGoogle(0, ""), aws: absent(), ip: "192.0.2.9", from: "the default route"},
		"AWS, to the letter":           {gcp: absent(), aws: strictAmazon(true, "10.240.0.11"), ip: "10.240.0.11", from: "AWS metadata (IMDSv2)", awsAsked: []string{putToken, amazonIP}},
		"AWS gives a loopback address": {gcp: absent(), aws: strictAmazon(true, "127.0.0.1"), ip: "192.0.2.9", from: "the default route", awsAsked: []string{putToken, amazonIP}},
		"AWS gives no address":         {gcp: absent(), aws: strictAmazon(true, ""), ip: "192.0.2.9", from: "the default route", awsAsked: []string{putToken, amazonIP}},
		"AWS refuses its own token":    {gcp: absent(), aws: strictAmazon(false, "10.240.0.11"), ip: "192.0.2.9", from: "the default route", awsAsked: []string{putToken, amazonIP}},
		"AWS is off":                   {gcp: absent(), aws: answers(http.StatusForbidden), ip: "192.0.2.9", from: "the default route", awsAsked: []string{putToken}},
		"AWS fails":                    {gcp: absent(), aws: answers(http.StatusInternalServerError), ip: "192.0.2.9", from: "the default route"},
		"AWS is not to be asked":       {gcp: absent(), aws: strictAmazon(true, "10.240.0.11"), disabled: "true", ip: "192.0.2.9", from: "the default route", awsAsked: []string{}},
		"the token says no time":       {gcp: absent(), aws: tokenless(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "token") }), ip: "192.0.2.9", from: "the default route", awsAsked: []string{putToken}},
		"the token gets lost":          {gcp: absent(), aws: tokenless(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), ip: "192.0.2.9", from: "the default route", awsAsked: []string{putToken}},
		"a captive portal answers all": {gcp: answers(http.StatusOK), aws: answers(http.StatusOK), ip: "192.0.2.9", from: "the default route"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			google, amazon := &recorder{Handler: test.gcp}, &recorder{Handler: test.aws}
			g, a := httptest.NewServer(google), httptest.NewServer(amazon)
			defer g.Close()
			defer a.Close()
			t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(g.URL, "http://"))
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", a.URL)
			t.Setenv("AWS_EC2_METADATA_DISABLED", test.disabled)
			route := func() (net.IP, error) { return net.IPv4(192, 0, 2, 9), nil }
			start := time.Now()
			got, err := detector{clouds: []source{gcp, aws}, defaultRoute: route, timeout: timeout}.detect(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if got.IP.String() != test.ip || got.Source != test.from {
				t.Errorf("got %s from %s, want %s from %s", got.IP, got.Source, test.ip, test.from)
			}
			if took := time.Since(start); took > timeout+5*time.Second {
				t.Errorf("it took %s", took)
			}
			for who, asked := range map[*recorder][]string{google: test.gcpAsked, amazon: test.awsAsked} {
				first := who.requests()
				if asked != nil && !slices.Equal(first[:min(len(first), max(len(asked), 1))], asked) {
					t.Errorf("asked %v, want %v first", first, asked)
				}
			}
		})
	}
}

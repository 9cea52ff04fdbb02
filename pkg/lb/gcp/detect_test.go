// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// metadataServer answers as GCP's does: only to who says Metadata-Flavor: Google.
func metadataServer(project, zone string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata-Flavor") != "Google" {
			http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
			return
		}
		w.Header().Set("Metadata-Flavor", "Google")
		switch r.URL.Path {
		case "/computeMetadata/v1/project/project-id":
			fmt.Fprint(w, project)
		case "/computeMetadata/v1/instance/zone":
			fmt.Fprint(w, zone)
		default:
			http.NotFound(w, r)
		}
	}
}

func TestDetect(t *testing.T) {
	tests := map[string]struct {
		server http.HandlerFunc
		want   Place
		err    string
	}{
		"on Compute Engine":  {metadataServer("hard-way", "projects/42/zones/us-west1-c"), Place{"hard-way", "us-west1"}, ""},
		"elsewhere":          {http.NotFound, Place{}, "not from a GCP metadata service"},
		"nobody answers":     {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, Place{}, "asking GCP metadata"},
		"another's metadata": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "i-0abc") }, Place{}, "not from a GCP metadata service"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(test.server)
			defer s.Close()
			t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(s.URL, "http://"))
			start := time.Now()
			got, err := Detect(t.Context())
			if test.err == "" && (err != nil || got != test.want) || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("%+v, %v", got, err)
			}
			if took := time.Since(start); took > detectTimeout+10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestRegionOf(t *testing.T) {
	for zone, want := range map[string]string{"us-west1-c": "us-west1", "projects/42/zones/europe-west10-a": "europe-west10", "none": "none"} {
		if got := regionOf(zone); got != want {
			t.Errorf("%s is in %s, want %s", zone, got, want)
		}
	}
}

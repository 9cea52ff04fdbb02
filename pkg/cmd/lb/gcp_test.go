// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/khw-controller/khw-controller/pkg/cmd/cli"
	"github.com/khw-controller/khw-controller/pkg/lb"
)

// TestGCPDefaults come from a flag, a variable or gcloud's active configuration,
// in this order.
func TestGCPDefaults(t *testing.T) {
	noCloud(t)
	dir := os.Getenv("CLOUDSDK_CONFIG")
	configuration := filepath.Join(dir, "configurations", "config_default")
	if err := os.MkdirAll(filepath.Dir(configuration), 0o700); err != nil {
		t.Fatal(err)
	}
	text := "[core]\nproject = configured\n[compute]\nregion = us-west1\n[api_endpoint_overrides]\ncompute = http://127.0.0.1:1/compute/v1/\n"
	if err := os.WriteFile(configuration, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ variable, flag, want string }{
		{"", "", "configured"}, {"CLOUDSDK_CORE_PROJECT", "", "CLOUDSDK_CORE_PROJECT"}, {"GOOGLE_CLOUD_PROJECT", "", "GOOGLE_CLOUD_PROJECT"}, {"", "flag", "flag"},
	} {
		if step.variable != "" {
			t.Setenv(step.variable, step.variable)
		}
		p := newGCP()
		p.config.Project = step.flag
		if err := p.complete(p.config.Options); err != nil {
			t.Fatal(err)
		}
		if p.config.Project != step.want || p.config.Region != "us-west1" || p.config.Endpoint != "http://127.0.0.1:1/compute/v1/" {
			t.Errorf("%+v: project %s, region %s, endpoint %s", step, p.config.Project, p.config.Region, p.config.Endpoint)
		}
	}
	if err := os.WriteFile(configuration, []byte("project"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newGCP().complete(lb.Options{}); err == nil || !strings.Contains(err.Error(), "config_default:1") {
		t.Errorf("a broken configuration: %v", err)
	}
}

// TestSharedFlags are of both clouds and set the one that is meant.
func TestSharedFlags(t *testing.T) {
	noCloud(t)
	for _, cloud := range []string{"aws", "gcp"} {
		if _, err := run(t, "--cloud", cloud, "--print-iam-policy", "--health-check-interval", "30", "--healthy-threshold", "3"); err != nil {
			t.Errorf("%s: %v", cloud, err)
		}
		var usage cli.UsageError
		if _, err := run(t, "--cloud", cloud, "--print-iam-policy", "--healthy-threshold", "11"); !errors.As(err, &usage) || !strings.Contains(err.Error(), "--healthy-threshold") {
			t.Errorf("%s takes a threshold of 11: %v", cloud, err)
		}
	}
	help, err := run(t, "--help")
	if want := "On gcp, the default is 5. (default 3)"; err != nil || !strings.Contains(help, want) {
		t.Errorf("%v, %q is not in\n%s", err, want, help)
	}
}

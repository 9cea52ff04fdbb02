// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// environment is a user's: a home directory with files, and variables.
func environment(t *testing.T, files, variables map[string]string) func(string) string {
	t.Helper()
	home := t.TempDir()
	for name, text := range files {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string {
		if name == "HOME" {
			return home
		}
		return strings.ReplaceAll(variables[name], "$HOME", home)
	}
}

const (
	configurations = ".config/gcloud/configurations/"
	work           = "[core]\naccount = me@example.com\nproject = work\n\n[compute]\nregion = us-west1\n"
)

func TestGcloudsProperties(t *testing.T) {
	tests := map[string]struct {
		files, variables map[string]string
		project, region  string
	}{
		"nothing":       {nil, nil, "", ""},
		"the default":   {map[string]string{configurations + "config_default": work}, nil, "work", "us-west1"},
		"the active":    {map[string]string{configurations + "config_default": work, configurations + "config_play": "[core]\nproject: play\n# [compute]\n", ".config/gcloud/active_config": "play\n"}, nil, "play", ""},
		"a variable's":  {map[string]string{configurations + "config_play": "; mine\n[core]\nproject=play"}, map[string]string{"CLOUDSDK_ACTIVE_CONFIG_NAME": "play"}, "play", ""},
		"variables":     {map[string]string{configurations + "config_default": work}, map[string]string{"CLOUDSDK_CORE_PROJECT": "other"}, "other", "us-west1"},
		"elsewhere":     {map[string]string{"g/configurations/config_default": work}, map[string]string{"CLOUDSDK_CONFIG": "$HOME/g"}, "work", "us-west1"},
		"before 2015":   {map[string]string{".config/gcloud/properties": work}, nil, "work", "us-west1"},
		"none, by name": {map[string]string{configurations + "config_default": work, ".config/gcloud/active_config": "NONE"}, nil, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g, err := LoadGcloud(environment(t, test.files, test.variables))
			if err != nil {
				t.Fatal(err)
			}
			if project, region := g.Property("core/project"), g.Property("compute/region"); project != test.project || region != test.region {
				t.Errorf("project %q, region %q; want %q, %q", project, region, test.project, test.region)
			}
		})
	}
}

func TestGcloudsConfigurationIsBroken(t *testing.T) {
	for says, e := range map[string]func(string) string{
		`config_default:2: "project" is neither`:     environment(t, map[string]string{configurations + "config_default": "[core]\nproject\n"}, nil),
		`config_default:1: "project = x" is neither`: environment(t, map[string]string{configurations + "config_default": "project = x\n"}, nil),
		"gcloud has no configuration gone":           environment(t, nil, map[string]string{"CLOUDSDK_ACTIVE_CONFIG_NAME": "gone"}),
		"active_config: is a directory":              environment(t, map[string]string{".config/gcloud/active_config/x": ""}, nil),
	} {
		if _, err := LoadGcloud(e); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func TestGcloudsCredentials(t *testing.T) {
	adc, login := ".config/gcloud/application_default_credentials.json", ".config/gcloud/legacy_credentials/me@example.com/adc.json"
	both := map[string]string{adc: "{}", login: "{}", configurations + "config_default": work}
	tests := map[string]struct {
		files, variables map[string]string
		want             Credentials
	}{
		"none":                             {nil, nil, Credentials{}},
		"gcloud auth application-default":  {both, nil, Credentials{File: adc}},
		"gcloud auth login":                {map[string]string{login: "{}", configurations + "config_default": work}, nil, Credentials{File: login}},
		"another account's":                {map[string]string{login: "{}"}, nil, Credentials{}},
		"GOOGLE_APPLICATION_CREDENTIALS":   {both, map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "key.json", "CLOUDSDK_AUTH_ACCESS_TOKEN": "t"}, Credentials{}},
		"CLOUDSDK_AUTH_ACCESS_TOKEN":       {both, map[string]string{"CLOUDSDK_AUTH_ACCESS_TOKEN": "t"}, Credentials{Token: "t"}},
		"auth/access_token_file":           {map[string]string{adc: "{}", configurations + "config_default": "[auth]\naccess_token_file = token"}, nil, Credentials{TokenFile: "token"}},
		"auth/credential_file_override":    {both, map[string]string{"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": "key.json"}, Credentials{File: "key.json"}},
		"auth/impersonate_service_account": {both, map[string]string{"CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT": "robot"}, Credentials{Impersonate: "robot"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := environment(t, test.files, test.variables)
			g, err := LoadGcloud(e)
			if err != nil {
				t.Fatal(err)
			}
			got := g.Credentials()
			got.File = strings.TrimPrefix(got.File, e("HOME")+"/")
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

// TestCredentialsAreOfUse has each kind be sent, or refused in one line.
func TestCredentialsAreOfUse(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for says, c := range map[string]Credentials{
		"":                                {File: file("user.json", `{"type":"authorized_user","client_id":"a","client_secret":"b","refresh_token":"c"}`)},
		"bad.json has no Google cred":     {File: file("bad.json", `{"kind":"authorized_user"}`)},
		"gone.json: no such file":         {File: filepath.Join(dir, "gone.json")},
		"gone: no such file":              {TokenFile: filepath.Join(dir, "gone")},
		"act as robot, which khw-control": {Impersonate: "robot"},
	} {
		cfg := Default()
		cfg.Project, cfg.Region, cfg.Credentials = "hard-way", "us-west1", c
		_, err := newClient(t.Context(), cfg)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%+v: %v, want %q", c, err, says)
		}
	}
}

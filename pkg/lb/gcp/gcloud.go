// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Gcloud is what gcloud is configured with: its CLOUDSDK_ variables, then its
// active configuration, then the properties file of versions before
// configurations.
type Gcloud struct {
	getenv func(string) string
	dir    string
	files  []properties
}

// properties are a file's, by section/name.
type properties map[string]string

// noConfiguration is the name of the configuration that is none.
const noConfiguration = "NONE"

// LoadGcloud reads the configuration in CLOUDSDK_CONFIG or ~/.config/gcloud. That
// there is none is no error.
func LoadGcloud(getenv func(string) string) (*Gcloud, error) {
	g := &Gcloud{getenv: getenv, dir: getenv("CLOUDSDK_CONFIG")}
	if g.dir == "" && getenv("HOME") == "" {
		return g, nil
	}
	g.dir = cmp.Or(g.dir, filepath.Join(getenv("HOME"), ".config", "gcloud"))
	name, err := g.active()
	if err != nil {
		return nil, err
	}
	files := []string{filepath.Join(g.dir, "properties")}
	if name != noConfiguration {
		files = append([]string{filepath.Join(g.dir, "configurations", "config_"+name)}, files...)
	}
	for _, file := range files {
		p, err := readProperties(file)
		switch {
		case err == nil:
			g.files = append(g.files, p)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("reading gcloud's configuration: %w", err)
		case name == getenv("CLOUDSDK_ACTIVE_CONFIG_NAME") && file == files[0] && name != "":
			return nil, fmt.Errorf("CLOUDSDK_ACTIVE_CONFIG_NAME: gcloud has no configuration %s: %w", name, err)
		}
	}
	return g, nil
}

// active is the name of the active configuration.
func (g *Gcloud) active() (string, error) {
	if name := g.getenv("CLOUDSDK_ACTIVE_CONFIG_NAME"); name != "" {
		return name, nil
	}
	raw, err := os.ReadFile(filepath.Join(g.dir, "active_config"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading gcloud's configuration: %w", err)
	}
	return cmp.Or(strings.TrimSpace(string(raw)), "default"), nil
}

// readProperties reads the INI dialect of Python's configparser, which gcloud
// writes its files with.
func readProperties(file string) (properties, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := properties{}
	section := ""
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok && strings.HasSuffix(name, "]") {
			section = strings.TrimSuffix(name, "]")
			continue
		}
		at := strings.IndexAny(line, "=:")
		if at < 1 || section == "" {
			return nil, fmt.Errorf("%s:%d: %q is neither [section] nor name = value; correct it, or set it anew with gcloud config set", file, n, line)
		}
		p[section+"/"+strings.TrimSpace(line[:at])] = strings.TrimSpace(line[at+1:])
	}
	return p, lines.Err()
}

// Property returns one such as compute/region, or "".
func (g *Gcloud) Property(name string) string {
	variable := "CLOUDSDK_" + strings.ToUpper(strings.ReplaceAll(name, "/", "_"))
	if value := g.getenv(variable); value != "" {
		return value
	}
	for _, p := range g.files {
		if value := p[name]; value != "" {
			return value
		}
	}
	return ""
}

// Credentials say who calls the API. None of them: Google's library looks where
// it does, which ends at the metadata service.
type Credentials struct {
	// Token is an access token.
	Token string
	// TokenFile has one.
	TokenFile string
	// File has credentials as JSON.
	File string
	// Impersonate is the service account as which gcloud acts, which this program
	// cannot.
	Impersonate string
}

// Credentials returns those that gcloud was told to use, else those of gcloud
// auth application-default login, else those of gcloud auth login. Where
// GOOGLE_APPLICATION_CREDENTIALS names a file, Google's library reads that.
func (g *Gcloud) Credentials() Credentials {
	if g.getenv("GOOGLE_APPLICATION_CREDENTIALS") != "" {
		return Credentials{}
	}
	c := Credentials{
		Token:       g.getenv("CLOUDSDK_AUTH_ACCESS_TOKEN"),
		TokenFile:   g.Property("auth/access_token_file"),
		File:        g.Property("auth/credential_file_override"),
		Impersonate: g.Property("auth/impersonate_service_account"),
	}
	if c != (Credentials{}) || g.dir == "" {
		return c
	}
	candidates := []string{filepath.Join(g.dir, "application_default_credentials.json")}
	if account := g.Property("core/account"); account != "" {
		candidates = append(candidates, filepath.Join(g.dir, "legacy_credentials", account, "adc.json"))
	}
	for _, file := range candidates {
		if _, err := os.Stat(file); err == nil {
			return Credentials{File: file}
		}
	}
	return Credentials{}
}

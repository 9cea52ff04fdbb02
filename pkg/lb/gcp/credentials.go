// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/oauth2"
	"google.golang.org/api/compute/v1"
	"google.golang.org/api/option"
)

// options are for a client of the API.
func (c Credentials) options() ([]option.ClientOption, error) {
	scope := option.WithScopes(compute.ComputeScope)
	switch {
	case c.Impersonate != "":
		return nil, fmt.Errorf("gcloud is set to act as %s, which khw-controller cannot; unset auth/impersonate_service_account, or point GOOGLE_APPLICATION_CREDENTIALS to a file of gcloud auth application-default login --impersonate-service-account", c.Impersonate)
	case c.Token != "":
		return []option.ClientOption{option.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: c.Token}))}, nil
	case c.TokenFile != "":
		raw, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("reading gcloud's auth/access_token_file: %w", err)
		}
		return Credentials{Token: strings.TrimSpace(string(raw))}.options()
	case c.File != "":
		kind, err := credentialsType(c.File)
		if err != nil {
			return nil, err
		}
		return []option.ClientOption{scope, option.WithAuthCredentialsFile(kind, c.File)}, nil
	}
	return []option.ClientOption{scope}, nil
}

func credentialsType(file string) (option.CredentialsType, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading Google credentials: %w", err)
	}
	var typed struct{ Type option.CredentialsType }
	if err := json.Unmarshal(raw, &typed); err != nil || typed.Type == "" {
		return "", fmt.Errorf("%s has no Google credentials in it; run gcloud auth application-default login", file)
	}
	return typed.Type, nil
}

// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// newKey is how the lab makes an encryption key.
const newKey = "make one with: head -c 32 /dev/urandom | base64"

// checkEncryption evaluates the keys in the encryption configuration, in its 2018
// form or today's. A key is never shown.
func checkEncryption(in input) []Finding {
	f := in.EncryptionConfig
	if f.Path == "" {
		return nil
	}
	data, err := os.ReadFile(f.Path)
	if err != nil {
		return failure(f.String(), "cannot be read: "+reason(err), "correct the path or its mode")
	}
	if problem, fix := evaluateEncryption(data); problem != "" {
		return failure(f.String(), problem, fix)
	}
	return nil
}

// encryptionDoc is what the checks need of either form: the lab's spells the
// second level with a dash of its own, but the same keys.
type encryptionDoc struct {
	Kind       string `yaml:"kind"`
	APIVersion string `yaml:"apiVersion"`
	Resources  []struct {
		Resources []string               `yaml:"resources"`
		Providers []map[string]yaml.Node `yaml:"providers"`
	} `yaml:"resources"`
}

type encryptionKey struct {
	Name   string    `yaml:"name"`
	Secret yaml.Node `yaml:"secret"`
}

// keySizes are the lengths that a provider's keys may have, in bytes.
var keySizes = map[string][]int{"aescbc": {16, 24, 32}, "aesgcm": {16, 24, 32}, "secretbox": {32}}

func evaluateEncryption(data []byte) (problem, fix string) {
	const template = "write it as in lab chapter 06"
	var doc encryptionDoc
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc); err != nil {
		return "is not a usable YAML document: " + withoutValues(err), template
	}
	if form := doc.Kind + " " + doc.APIVersion; form != "EncryptionConfig v1" && form != "EncryptionConfiguration apiserver.config.k8s.io/v1" {
		return fmt.Sprintf("is of kind %q, apiVersion %q", doc.Kind, doc.APIVersion),
			"want EncryptionConfiguration apiserver.config.k8s.io/v1, or the lab's EncryptionConfig v1"
	}
	if len(doc.Resources) == 0 {
		return "encrypts nothing: resources is empty", template
	}
	for _, r := range doc.Resources {
		for _, provider := range r.Providers {
			for name, settings := range provider {
				if problem := evaluateKeys(name, settings); problem != "" {
					return problem, newKey
				}
			}
		}
	}
	return "", ""
}

func evaluateKeys(provider string, settings yaml.Node) string {
	sizes, ok := keySizes[provider]
	if !ok {
		return "" // identity and kms have no keys here
	}
	var keys struct {
		Keys []encryptionKey `yaml:"keys"`
	}
	if err := settings.Decode(&keys); err != nil {
		return fmt.Sprintf("line %d: %s: keys cannot be read", settings.Line, provider)
	}
	if len(keys.Keys) == 0 {
		return fmt.Sprintf("line %d: %s has no key", settings.Line, provider)
	}
	for _, k := range keys.Keys {
		where := fmt.Sprintf("line %d: the key %s of %s", k.Secret.Line, k.Name, provider)
		secret, err := base64.StdEncoding.DecodeString(k.Secret.Value)
		if err != nil {
			return where + " is not base64"
		}
		if !slices.Contains(sizes, len(secret)) {
			return fmt.Sprintf("%s is %d bytes long, want %s", where, len(secret), oneOf(sizes))
		}
	}
	return ""
}

func oneOf(sizes []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(sizes)), " or "), "[]")
}

// withoutValues keeps the place of a YAML error but not the text there, which
// may be a key.
func withoutValues(err error) string {
	var typeError *yaml.TypeError
	if errors.As(err, &typeError) {
		place, _, _ := strings.Cut(typeError.Errors[0], ":")
		return place + ": a value of the wrong type"
	}
	return oneLine(err.Error())
}

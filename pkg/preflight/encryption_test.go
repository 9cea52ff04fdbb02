// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"encoding/base64"
	"strings"
	"testing"
)

// encryptionFile is lab chapter 06's file, in its 2018 form, with a provider.
func encryptionFile(provider string) string {
	return "kind: EncryptionConfig\napiVersion: v1\nresources:\n  - resources:\n      - secrets\n    providers:\n      - " + provider + "\n      - identity: {}\n"
}

func key(bytes int) string { return base64.StdEncoding.EncodeToString(make([]byte, bytes)) }

func aescbc(secret string) string { return "aescbc: {keys: [{name: key1, secret: " + secret + "}]}" }

func TestEvaluateEncryption(t *testing.T) {
	for name, test := range map[string]struct{ file, says string }{
		"the lab's":           {encryptionFile(aescbc(key(32))), ""},
		"today's":             {strings.Replace(encryptionFile(aescbc(key(32))), "kind: EncryptionConfig\napiVersion: v1", "kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1", 1), ""},
		"secretbox":           {encryptionFile("secretbox: {keys: [{name: a, secret: " + key(32) + "}]}"), ""},
		"a kms provider":      {encryptionFile("kms: {apiVersion: v2, name: a, endpoint: unix:///a}"), ""},
		"31 bytes":            {encryptionFile(aescbc(key(31))), "line 7: the key key1 of aescbc is 31 bytes long, want 16 or 24 or 32"},
		"16 for secretbox":    {encryptionFile("secretbox: {keys: [{name: a, secret: " + key(16) + "}]}"), "16 bytes long, want 32"},
		"not base64":          {encryptionFile(aescbc("'not base64!'")), "the key key1 of aescbc is not base64"},
		"the lab's variable":  {encryptionFile(aescbc("'${ENCRYPTION_KEY}'")), "is not base64"},
		"no key":              {encryptionFile("aescbc: {keys: []}"), "aescbc has no key"},
		"keys of a wrong way": {encryptionFile("aescbc: {keys: 7}"), "keys cannot be read"},
		"empty":               {"", "is not a usable YAML document"},
		"no YAML":             {"kind: [", "is not a usable YAML document"},
		"a wrong type":        {"kind: EncryptionConfig\napiVersion: v1\nresources: 7\n", "a value of the wrong type"},
		"something else":      {"kind: Pod\napiVersion: v1\n", `is of kind "Pod"`},
		"nothing encrypted":   {"kind: EncryptionConfig\napiVersion: v1\nresources: []\n", "encrypts nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			problem, fix := evaluateEncryption([]byte(test.file))
			if (test.says == "") != (problem == "") || !strings.Contains(problem, test.says) {
				t.Errorf("got %q, want %q", problem, test.says)
			}
			if (problem == "") != (fix == "") {
				t.Errorf("the fix for %q is %q", problem, fix)
			}
		})
	}
}

func FuzzEvaluateEncryption(f *testing.F) {
	const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
	f.Add(encryptionFile("aescbc: {keys: [{name: key1, secret: "), "}]}")
	f.Add("kind: EncryptionConfig\napiVersion: v1\nresources: ", "")
	f.Add("resources:\n- providers:\n  - aescbc: &a {keys: *a}\n    ", ": x")
	f.Fuzz(func(t *testing.T, before, after string) {
		problem, _ := evaluateEncryption([]byte(before + secret + after))
		if strings.Contains(problem, secret) {
			t.Errorf("the key is shown: %s", problem)
		}
		if strings.Contains(problem, "\n") {
			t.Errorf("more than one line: %q", problem)
		}
	})
}

func FuzzParseCertificates(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN X-----\n-----END X-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if certs, err := parseCertificates(data); (len(certs) == 0) == (err == nil) {
			t.Errorf("%d certificates and %v", len(certs), err)
		}
	})
}

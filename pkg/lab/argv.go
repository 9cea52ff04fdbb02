// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"os"
	"strings"
)

// TranslateArgv turns the command line of a program started under a component's
// own name, such as an ExecStart line of the lab, into today's. What today's
// Kubernetes requires and the line cannot have is added where it can be derived
// from what the line has. notices are lines for the user, one per change.
func TranslateArgv(c Component, argv []string) (out, notices []string, err error) {
	for i := 0; i < len(argv); i++ {
		token := argv[i]
		if !strings.HasPrefix(token, "--") || token == "--" {
			out = append(out, token)
			continue
		}
		a := ParseArg(token)
		old, gone := removed(c, a.Name)
		if changedValues[c][a.Name] == nil && !gone || a.Unset {
			out = append(out, token)
			continue
		}
		// `--name value`: a boolean never takes its value from the next word.
		if !a.HasValue && !old.Bool && i+1 < len(argv) {
			i++
			a.Value, a.HasValue = argv[i], true
		}
		t, keep, notice, err := translate(c, a)
		if err != nil {
			return nil, nil, err
		}
		if notice != "" {
			notices = append(notices, notice)
		}
		if keep {
			out = append(out, t.String())
		}
	}
	if c == APIServer {
		return addTokenSigning(out, notices)
	}
	return out, notices, nil
}

// addTokenSigning adds the two flags that kube-apiserver requires since v1.20.
// An empty command line (`--help`, `--version`) is left alone.
func addTokenSigning(argv, notices []string) ([]string, []string, error) {
	keyFile := value(argv, "service-account-key-file")
	if keyFile == "" {
		return argv, notices, nil
	}
	if value(argv, "service-account-issuer") == "" {
		argv = append(argv, "--service-account-issuer="+serviceAccountIssuer)
		notices = append(notices, fmt.Sprintf("%s --service-account-issuer is required since v1.20; using %s", APIServer, serviceAccountIssuer))
	}
	if value(argv, "service-account-signing-key-file") == "" {
		key := strings.TrimSuffix(keyFile, ".pem") + "-key.pem"
		if _, err := os.Stat(key); err != nil {
			return nil, nil, fmt.Errorf("%s --service-account-signing-key-file is required since v1.20, and the key beside --service-account-key-file cannot be used: %w; set the flag to the key that signs service account tokens", APIServer, err)
		}
		argv = append(argv, "--service-account-signing-key-file="+key)
		notices = append(notices, fmt.Sprintf("%s --service-account-signing-key-file is required since v1.20; using %s", APIServer, key))
	}
	return argv, notices, nil
}

// value returns the last value of a flag in argv, or "".
func value(argv []string, name string) string {
	found := ""
	for i, token := range argv {
		if !strings.HasPrefix(token, "--") {
			continue
		}
		a := ParseArg(token)
		if a.Name != name {
			continue
		}
		if found = a.Value; !a.HasValue && i+1 < len(argv) {
			found = argv[i+1]
		}
	}
	return found
}

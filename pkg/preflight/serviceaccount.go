// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"os"
	"slices"

	"k8s.io/client-go/util/keyutil"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// checkServiceAccount sees whether tokens signed here will be accepted here: by
// any of the keys, of which there are several while they are rotated.
func checkServiceAccount(in input) []Finding {
	if len(in.ServiceAccountKeys) == 0 {
		return nil // another signs (--service-account-signing-endpoint), and knows the keys
	}
	var public []any
	var found []Finding
	for _, f := range in.ServiceAccountKeys {
		keys, problems := readPublicKeys(f)
		public, found = append(public, keys...), append(found, problems...)
	}
	if len(found) > 0 {
		return found
	}
	for _, f := range []plan.File{in.TokenSigningKey, in.ControllerTokenKey} {
		if f.Path == "" {
			continue
		}
		signer, err := readKey(f.Path)
		switch {
		case err != nil:
			found = append(found, failure(f.String(), err.Error(), "use the lab's service-account-key.pem")...)
		case !slices.ContainsFunc(public, func(k any) bool { return matches(k, signer) }):
			found = append(found, failure(f.String(), "is not the key of "+in.Files.ServiceAccount+": tokens that it signs would be refused",
				"use the two files that were made together")...)
		}
	}
	return found
}

func readPublicKeys(f plan.File) ([]any, []Finding) {
	data, err := os.ReadFile(f.Path)
	if err != nil {
		return nil, failure(f.String(), "cannot be read: "+reason(err), "correct the path or its mode")
	}
	keys, err := keyutil.ParsePublicKeysPEM(data)
	if err != nil || len(keys) == 0 {
		return nil, failure(f.String(), "holds neither a certificate nor a public key in PEM form", "use the lab's service-account.pem")
	}
	return keys, nil
}

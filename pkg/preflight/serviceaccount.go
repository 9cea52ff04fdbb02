// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"os"
	"slices"

	"k8s.io/client-go/util/keyutil"
)

// checkServiceAccount sees whether tokens signed here will be accepted here.
func checkServiceAccount(in Input) []Finding {
	public := in.ServiceAccount.Cert
	data, err := os.ReadFile(public.Path)
	if err != nil {
		return failure(public.at(), "cannot be read: "+reason(err), "correct the path or its mode")
	}
	keys, err := keyutil.ParsePublicKeysPEM(data)
	if err != nil || len(keys) == 0 {
		return failure(public.at(), "holds neither a certificate nor a public key in PEM form", "use the lab's service-account.pem")
	}
	var found []Finding
	for _, f := range []File{in.ServiceAccount.Key, in.TokensKey} {
		if f.Path == "" {
			continue
		}
		signer, err := readKey(f.Path)
		switch {
		case err != nil:
			found = append(found, failure(f.at(), err.Error(), "use the lab's service-account-key.pem")...)
		case !slices.ContainsFunc(keys, func(k any) bool { return matches(k, signer) }):
			found = append(found, failure(f.at(), "is not the key of "+public.Path+": tokens that it signs would be refused",
				"use the two files that were made together")...)
		}
	}
	return found
}

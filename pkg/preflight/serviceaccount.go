// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"slices"

	"k8s.io/client-go/util/keyutil"
	"k8s.io/kubernetes/pkg/serviceaccount"

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
	// The controllers themselves connect with tokens of the apiserver; those of the
	// controller-manager are only in secrets that somebody asks for.
	refused := Warning
	if in.ControllerManager.KubeCloudShared.UseServiceAccountCredentials {
		refused = Error
	}
	verifiable := len(found) == 0 && len(public) > 0
	found = append(found, checkTokenKey(in, in.TokenSigningKey, public, verifiable, refused)...)
	return append(found, checkTokenKey(in, in.ControllerTokenKey, public, verifiable, Warning)...)
}

// checkTokenKey evaluates a key that signs tokens; refused is how severe it is
// that none of the public keys is its own.
func checkTokenKey(in input, f plan.File, public []any, verifiable bool, refused Severity) []Finding {
	if f.Path == "" {
		return nil
	}
	fix := "use the lab's service-account-key.pem"
	data, unreadable := readFile(f.Path)
	if unreadable != nil {
		return unreadable.findingOf(f, fix)
	}
	signer, wrong := parseKey(data)
	if wrong != nil {
		return wrong.findingOf(f, fix)
	}
	if _, err := serviceaccount.JWTTokenGenerator(serviceaccount.LegacyIssuer, signer); err != nil {
		return failure(f.String(), "holds a key of a kind that cannot sign tokens: "+oneLine(err.Error()), "use an RSA key, or an ECDSA key on P-256, P-384 or P-521")
	}
	if verifiable && !slices.ContainsFunc(public, func(k any) bool { return matches(k, signer) }) {
		return []Finding{{refused, f.String(), "is not the key of " + in.Files.ServiceAccount + ": tokens that it signs would be refused",
			"use the two files that were made together"}}
	}
	return nil
}

func readPublicKeys(f plan.File) ([]any, []Finding) {
	data, unreadable := readFile(f.Path)
	if unreadable != nil {
		return nil, unreadable.findingOf(f, "correct the path or its mode")
	}
	keys, err := keyutil.ParsePublicKeysPEM(data)
	if err != nil {
		wrong := noPEM(data, "certificate or public key of RSA or ECDSA")
		return nil, wrong.findingOf(f, "use the lab's service-account.pem")
	}
	return keys, nil
}

// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// ParseRecipient reads a public key: of age's, or of ssh's, as in a .pub file.
func ParseRecipient(text string) (age.Recipient, error) {
	if strings.HasPrefix(text, "ssh-") {
		r, err := agessh.ParseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("it is no public key of ssh's for this (ed25519 and RSA are): %s", oneLine(err))
		}
		return r, nil
	}
	all, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(all) != 1 {
		return nil, errors.New("it is no public key; want age1…, or a line of a .pub file: ssh-ed25519 AAAA…")
	}
	return all[0], nil
}

// ReadIdentities reads a file with private keys: age's, or one of ssh's.
func ReadIdentities(path string) ([]age.Identity, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(data, []byte("-----BEGIN")) {
		i, err := agessh.ParseIdentity(data)
		var locked *ssh.PassphraseMissingError
		switch {
		case errors.As(err, &locked):
			return nil, fmt.Errorf("%s is protected by a passphrase of its own; give a copy without: ssh-keygen -p", path)
		case err != nil:
			return nil, fmt.Errorf("%s is no private key of ssh's for this: %s", path, oneLine(err))
		}
		return []age.Identity{i}, nil
	}
	all, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s holds no private key of age's or ssh's", path) // whose text an error may have
	}
	return all, nil
}

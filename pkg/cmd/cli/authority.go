// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/khw-controller/khw-controller/pkg/pki"
)

// Authority reads the user's own CA, of --ca and --ca-key; nil where there is none.
func Authority(ca, caKey string) (*pki.Authority, error) {
	if ca == "" {
		return nil, nil
	}
	cert, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	key, err := os.ReadFile(caKey)
	if err != nil {
		return nil, fmt.Errorf("--ca-key: %w", err)
	}
	authority, err := pki.ParseAuthority(cert, key, time.Now())
	if err != nil {
		return nil, fmt.Errorf("--ca %s: %w", ca, err)
	}
	return authority, nil
}

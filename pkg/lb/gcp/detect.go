// SPDX-License-Identifier: Apache-2.0

package gcp

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/khw-controller/khw-controller/pkg/address"
)

// detectTimeout is for all answers together: elsewhere nobody answers at all.
const detectTimeout = 2 * time.Second

// Place is where a machine of Compute Engine is.
type Place struct {
	Project string
	Region  string
}

// Detect asks the metadata service of the machine that this runs on. Its error
// means that it is none of Compute Engine, which takes less than two seconds.
func Detect(ctx context.Context) (Place, error) {
	ctx, cancel := context.WithTimeout(ctx, detectTimeout)
	defer cancel()
	client := address.GCPMetadata()
	project, err := client.ProjectIDWithContext(ctx)
	if err != nil {
		return Place{}, fmt.Errorf("asking GCP metadata for the project: %w", err)
	}
	zone, err := client.ZoneWithContext(ctx)
	if err != nil {
		return Place{}, fmt.Errorf("asking GCP metadata for the zone: %w", err)
	}
	return Place{Project: project, Region: regionOf(zone)}, nil
}

// regionOf returns the region of a zone, given by name or URL: us-west1 for
// us-west1-c.
func regionOf(zone string) string {
	zone = path.Base(zone)
	if i := strings.LastIndex(zone, "-"); i > 0 {
		return zone[:i]
	}
	return zone
}

// SPDX-License-Identifier: Apache-2.0

package secretsencrypt

import (
	"context"
	"fmt"
	"time"

	"github.com/khw-controller/khw-controller/pkg/encryption"
)

// Status is how things are encrypted, without a key.
type Status struct {
	Controllers []ControllerStatus `json:"controllers"`
	// Missing says of each controller that does not report what to do.
	Missing []string `json:"missing,omitempty"`
	// Rotation is the one under way.
	Rotation *Rotation `json:"rotation,omitempty"`
	Stored   []Stored  `json:"stored"`
	// Next is what to do, or could be done, and Pending whether it has to be.
	Next    string `json:"next"`
	Pending bool   `json:"pending"`
}

// ControllerStatus is a controller's report.
type ControllerStatus struct {
	Report
	Reported time.Time `json:"reported"`
	Stale    bool      `json:"stale,omitempty"`
}

// Stored is how many objects of a resource are stored with a key.
type Stored struct {
	Resource string `json:"resource"`
	Provider string `json:"provider"`
	Key      string `json:"key,omitempty"`
	Objects  int    `json:"objects"`
}

// Status reads the reports, and all that is stored of what this controller's
// configuration is for.
func (r *Rotator) Status(ctx context.Context) (*Status, error) {
	found, err := readReports(ctx, r.Client, r.Controllers, time.Now())
	if err != nil {
		return nil, err
	}
	s := &Status{Controllers: []ControllerStatus{}, Missing: found.missing(), Stored: []Stored{}}
	for _, c := range found.all {
		s.Controllers = append(s.Controllers, ControllerStatus{c, c.At, found.stale(c)})
	}
	if s.Rotation, err = ReadRotation(ctx, r.Client); err != nil {
		return nil, err
	}
	config, err := encryption.Load(ctx, r.Path)
	if err != nil {
		return nil, err
	}
	resources, err := config.Resources(ctx, r.Etcd)
	if err != nil {
		return nil, err
	}
	counts, err := encryption.CountStored(ctx, r.Etcd, resources)
	if err != nil {
		return nil, err
	}
	for _, c := range counts {
		s.Stored = append(s.Stored, Stored{c.Resource.String(), c.Provider.Name, c.Provider.Key, c.Objects})
	}
	s.Next, s.Pending = next(s, found.counting(), config, counts)
	return s, nil
}

const rotateCommand = "khw-controller secrets-encrypt rotate"

func next(s *Status, counting []Report, config *encryption.Config, counts []encryption.Count) (text string, pending bool) {
	if len(s.Missing) > 0 {
		return s.Missing[0], true
	}
	for _, c := range counting {
		switch {
		case c.Problem != "":
			return c.Controller + ": " + c.Problem, true
		case s.Rotation != nil:
		case c.File != counting[0].File:
			return fmt.Sprintf("%s and %s have different encryption configurations: copy the right one to all controllers, and restart those that got it", counting[0].Controller, c.Controller), true
		case c.InForce != c.File:
			return c.Controller + " has another encryption configuration in force than in its file: restart khw-controller there", true
		}
	}
	if s.Rotation != nil {
		return "a rotation is under way; unless its command is at work, go on with " + rotateCommand, true
	}
	for _, c := range counts {
		if writes, ok := config.Writes(c.Resource); ok && (writes.Name != c.Provider.Name || writes.Key != c.Provider.Key) {
			return fmt.Sprintf("%d %s are %s, and would be written otherwise: rewrite them with %s", c.Objects, c.Resource, c.Provider, rotateCommand), true
		}
	}
	for _, e := range config.Entries() {
		if e.Providers[0].Name != encryption.Identity {
			return "nothing to do", false
		}
	}
	return "nothing is encrypted; to encrypt: " + rotateCommand + " --provider aescbc", false
}

// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// addProviderFlags adds the flags of all clouds. One that several have sets each
// cloud's own setting.
func addProviderFlags(into *pflag.FlagSet, providers map[string]provider) {
	for _, name := range slices.Sorted(maps.Keys(providers)) {
		providers[name].flags().VisitAll(func(f *pflag.Flag) {
			have := into.Lookup(f.Name)
			if have == nil {
				into.AddFlag(f)
				return
			}
			have.Value = &sharedValue{have.Value, f.Value}
			_, have.Usage, _ = strings.Cut(have.Usage, ": ")
			if f.DefValue != have.DefValue {
				have.Usage += fmt.Sprintf(" On %s, the default is %s.", name, f.DefValue)
			}
		})
	}
}

// sharedValue is a flag of several clouds. It shows the first one's.
type sharedValue struct {
	pflag.Value
	other pflag.Value
}

// Set is part of pflag.Value.
func (s *sharedValue) Set(text string) error {
	if err := s.Value.Set(text); err != nil {
		return err
	}
	return s.other.Set(text)
}

// SPDX-License-Identifier: Apache-2.0

package lb

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/khw-controller/khw-controller/pkg/lb"
)

// provider is one cloud's half of the command.
type provider interface {
	// flags are those that this cloud alone has; the same set every time.
	flags() *pflag.FlagSet
	// types are the values of --type, the default first.
	types() []string
	// complete takes the flags that both clouds have and finds wrong usage.
	complete(shared lb.Options) error
	// policy is the least that has to be permitted.
	policy(use lb.Use) (string, error)
	// open finds credentials.
	open(ctx context.Context) (lb.Cloud, error)
}

// firstChanged is the name of a flag that was given and that no other cloud has,
// or "".
func firstChanged(flags *pflag.FlagSet) string {
	name := ""
	flags.VisitAll(func(f *pflag.Flag) {
		if _, shared := f.Value.(*sharedValue); f.Changed && !shared && name == "" {
			name = f.Name
		}
	})
	return name
}

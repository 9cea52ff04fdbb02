// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Output is the value of -o.
type Output struct {
	value   string
	allowed []string
}

// AddOutput adds -o with the given formats besides text, the default.
func AddOutput(cmd *cobra.Command, formats ...string) *Output {
	o := &Output{value: "text", allowed: append([]string{"text"}, formats...)}
	cmd.Flags().VarP(o, "output", "o", "How the result is printed: "+strings.Join(o.allowed, ", ")+".")
	return o
}

// String returns the chosen format.
func (o *Output) String() string { return o.value }

// Type is part of pflag.Value.
func (o *Output) Type() string { return "format" }

// Set is part of pflag.Value.
func (o *Output) Set(s string) error {
	if !slices.Contains(o.allowed, s) {
		return fmt.Errorf("want one of %s", strings.Join(o.allowed, ", "))
	}
	o.value = s
	return nil
}

// WriteJSON prints v for scripts.
func WriteJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

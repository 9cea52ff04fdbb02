// SPDX-License-Identifier: Apache-2.0

package pairs

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/khw-controller/khw-controller/test/bench/subject"
)

// Options of a benchmark.
type Options struct {
	// Runs is how many pairs are measured.
	Runs int
	// JSON is a file for the result; "": none.
	JSON string
	// Only is what is measured alone; "": both.
	Only subject.Kind
	// Rows are the keys of the rows that are measured; none: all.
	Rows []string
}

// Flags adds the options to a flag set whose default number of runs is given.
func (o *Options) Flags(fs *flag.FlagSet, s Suite, runs int) {
	fs.IntVar(&o.Runs, "runs", runs, "how many pairs are measured")
	fs.StringVar(&o.JSON, "json", "", "a `file` for the result, with all values")
	fs.Func("only", "measure only `stock or khw`", func(v string) (err error) {
		o.Only, err = subject.ParseKind(v)
		return err
	})
	fs.Func("rows", "measure only these `rows`, separated by commas:\n"+s.keys(), func(v string) error {
		o.Rows = strings.Split(v, ",")
		_, err := s.chosen(o.Rows)
		return err
	})
}

// Run measures the suite, prints the table to out and writes the JSON.
func Run(ctx context.Context, out io.Writer, s Suite, o *Options) error {
	if o.Runs < 1 {
		return fmt.Errorf("-runs %d: measure at least one pair", o.Runs)
	}
	if err := writable(o.JSON); err != nil {
		return err
	}
	result, err := s.run(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n\n", s.Title)
	if err := result.print(out); err != nil {
		return err
	}
	if o.JSON == "" {
		return nil
	}
	return result.write(o.JSON)
}

// writable tells of a file that cannot be written before half an hour is spent on
// what is to be in it.
func writable(path string) error {
	if path == "" {
		return nil
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("-json %s: there is no directory %s; make it, or name another file", path, dir)
	}
	return nil
}

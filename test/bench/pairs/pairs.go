// SPDX-License-Identifier: Apache-2.0

// Package pairs measures stock and khw-controller in pairs, one after the other, and
// says what came out: medians, spreads, and the ratios of the pairs. The order within
// a pair changes with each, so that neither profits from what the other left in caches.
package pairs

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/khw-controller/khw-controller/test/bench/subject"
)

// Row is one figure of the result.
type Row struct {
	// Key is what a user calls it in -rows.
	Key string `json:"key"`
	// Name is what it is called in the table.
	Name string `json:"name"`
	Unit string `json:"unit"`
	// More tells that more is better.
	More bool `json:"moreIsBetter,omitempty"`
	// Digits after the point.
	Digits int `json:"-"`
}

// Figures are those of one run of one subject, by the key of their row.
type Figures map[string]float64

// Suite is a benchmark.
type Suite struct {
	// Title is printed above the table.
	Title string
	Rows  []Row
	// Measure makes one run. It leaves out what none of the rows needs that are
	// wanted.
	Measure func(context.Context, subject.Kind, Wanted) (Figures, error)
}

// Wanted are the keys of the rows that are to be measured.
type Wanted []string

// Any reports whether one of the keys is wanted.
func (w Wanted) Any(keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return slices.Contains(w, key) })
}

// run measures all pairs.
func (s Suite) run(ctx context.Context, o *Options) (*Result, error) {
	rows, err := s.chosen(o.Rows)
	if err != nil {
		return nil, err
	}
	var wanted Wanted
	for _, r := range rows {
		wanted = append(wanted, r.Key)
	}
	result, err := newResult(ctx, o.Runs)
	if err != nil {
		return nil, err
	}
	measured := map[subject.Kind][]Figures{}
	for i := range o.Runs {
		kinds := order(i, o.Only)
		for _, kind := range kinds {
			begun := time.Now()
			figures, err := s.Measure(ctx, kind, wanted)
			if err != nil {
				return nil, fmt.Errorf("run %d of %s: %w", i+1, kind, err)
			}
			fmt.Fprintf(os.Stderr, "run %d of %s, %.0f s:%s\n", i+1, kind, time.Since(begun).Seconds(), figures.line(rows))
			measured[kind] = append(measured[kind], figures)
		}
		result.Order = append(result.Order, kinds)
	}
	for _, r := range rows {
		result.Rows = append(result.Rows, newRowResult(r, measured))
	}
	return result, nil
}

// order is that of a pair, counted from 0.
func order(pair int, only subject.Kind) []subject.Kind {
	if only != "" {
		return []subject.Kind{only}
	}
	kinds := subject.Kinds()
	if pair%2 == 1 {
		slices.Reverse(kinds)
	}
	return kinds
}

// chosen returns the rows with these keys, or all without any.
func (s Suite) chosen(keys []string) ([]Row, error) {
	if len(keys) == 0 {
		return s.Rows, nil
	}
	var rows []Row
	for _, r := range s.Rows {
		if slices.Contains(keys, r.Key) {
			rows = append(rows, r)
		}
	}
	for _, key := range keys {
		if !slices.ContainsFunc(s.Rows, func(r Row) bool { return r.Key == key }) {
			return nil, fmt.Errorf("there is no row %q; use some of %s", key, s.keys())
		}
	}
	return rows, nil
}

func (s Suite) keys() string {
	all := ""
	for i, r := range s.Rows {
		if i > 0 {
			all += ","
		}
		all += r.Key
	}
	return all
}

func (f Figures) line(rows []Row) string {
	line := ""
	for _, r := range rows {
		line += fmt.Sprintf(" %s %.*f", r.Key, r.Digits, f[r.Key])
	}
	return line
}

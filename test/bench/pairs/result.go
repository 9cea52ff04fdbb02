// SPDX-License-Identifier: Apache-2.0

package pairs

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"time"

	"github.com/khw-controller/khw-controller/test/bench/subject"
)

// Result is what a benchmark writes as JSON.
type Result struct {
	Time     time.Time `json:"time"`
	Machine  Machine   `json:"machine"`
	Versions Versions  `json:"versions"`
	Runs     int       `json:"runs"`
	// Order is that of each pair.
	Order [][]subject.Kind `json:"order"`
	Rows  []RowResult      `json:"rows"`
}

// RowResult are the figures of one row.
type RowResult struct {
	Row
	Stock Series `json:"stock"`
	KHW   Series `json:"khwController"`
	// Ratio is khw-controller's figure over stock's, pair by pair.
	Ratio Series `json:"ratio"`
}

// Series is what was measured, run by run, and what is said of it.
type Series struct {
	Values []float64 `json:"values"`
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
}

func newSeries(values []float64) Series {
	if len(values) == 0 {
		return Series{}
	}
	return Series{Values: values, Median: Median(values), Min: slices.Min(values), Max: slices.Max(values)}
}

// Median returns the median of some values.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[half-1] + sorted[half]) / 2
	}
	return sorted[half]
}

func newResult(ctx context.Context, runs int) (*Result, error) {
	versions, err := readVersions(ctx)
	if err != nil {
		return nil, err
	}
	machine, err := readMachine()
	return &Result{Time: time.Now().UTC().Truncate(time.Second), Machine: machine, Versions: versions, Runs: runs}, err
}

func newRowResult(r Row, measured map[subject.Kind][]Figures) RowResult {
	column := func(k subject.Kind) []float64 {
		var values []float64
		for _, figures := range measured[k] {
			values = append(values, figures[r.Key])
		}
		return values
	}
	stock, khw := column(subject.Stock), column(subject.KHW)
	var ratios []float64
	for i := range min(len(stock), len(khw)) {
		if stock[i] != 0 {
			ratios = append(ratios, khw[i]/stock[i])
		}
	}
	return RowResult{Row: r, Stock: newSeries(stock), KHW: newSeries(khw), Ratio: newSeries(ratios)}
}

func (r *Result) write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

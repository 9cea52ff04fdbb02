// SPDX-License-Identifier: Apache-2.0

package pairs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/khw-controller/khw-controller/test/bench/subject"
)

var someSuite = Suite{
	Rows: []Row{
		{Key: "a", Name: "time to a", Unit: "s", Digits: 1},
		{Key: "b", Name: "b as well", Unit: "MB"},
	},
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 2, 100}, 3},
	} {
		before := slices.Clone(test.values)
		if got := Median(test.values); got != test.want {
			t.Errorf("the median of %v is %v, want %v", test.values, got, test.want)
		}
		if !slices.Equal(before, test.values) {
			t.Errorf("%v are in another order now: %v", before, test.values)
		}
	}
}

func TestOrderIsSwapped(t *testing.T) {
	stock, khw := subject.Stock, subject.KHW
	for _, test := range []struct {
		pair int
		only subject.Kind
		want []subject.Kind
	}{
		{0, "", []subject.Kind{stock, khw}},
		{1, "", []subject.Kind{khw, stock}},
		{2, "", []subject.Kind{stock, khw}},
		{1, khw, []subject.Kind{khw}},
	} {
		if got := order(test.pair, test.only); !slices.Equal(got, test.want) {
			t.Errorf("pair %d, only %q: %v, want %v", test.pair, test.only, got, test.want)
		}
	}
}

func TestRatioIsThatOfThePairs(t *testing.T) {
	r := newRowResult(someSuite.Rows[0], map[subject.Kind][]Figures{
		subject.Stock: {{"a": 10}, {"a": 20}, {"a": 40}},
		subject.KHW:   {{"a": 5}, {"a": 20}, {"a": 10}},
	})
	if want := []float64{0.5, 1, 0.25}; !slices.Equal(r.Ratio.Values, want) || r.Ratio.Median != 0.5 || r.Ratio.Min != 0.25 || r.Ratio.Max != 1 {
		t.Errorf("ratio %+v, want those of %v", r.Ratio, want)
	}
	if r.Stock.Median != 20 || r.KHW.Median != 10 {
		t.Errorf("medians %v and %v, want 20 and 10", r.Stock.Median, r.KHW.Median)
	}
	alone := newRowResult(someSuite.Rows[0], map[subject.Kind][]Figures{subject.KHW: {{"a": 5}}})
	if len(alone.Ratio.Values) > 0 || len(alone.Stock.Values) > 0 || alone.KHW.Median != 5 {
		t.Errorf("measured alone: %+v", alone)
	}
}

func TestTable(t *testing.T) {
	row := func(r Row, stock, khw []float64) RowResult {
		m := map[subject.Kind][]Figures{}
		for _, v := range stock {
			m[subject.Stock] = append(m[subject.Stock], Figures{r.Key: v})
		}
		for _, v := range khw {
			m[subject.KHW] = append(m[subject.KHW], Figures{r.Key: v})
		}
		return newRowResult(r, m)
	}
	result := &Result{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Runs: 3,
		Machine:  Machine{Cores: 2, MemoryMB: 8000, Kernel: "6.1", Arch: "amd64"},
		Versions: Versions{Kubernetes: "Kubernetes v1"},
		Rows: []RowResult{
			row(someSuite.Rows[0], []float64{1, 2, 4}, []float64{1, 1, 1}),
			row(someSuite.Rows[1], nil, []float64{7}),
		},
	}
	var out bytes.Buffer
	if err := result.print(&out); err != nil {
		t.Fatal(err)
	}
	const want = `|           |           stock |  khw-controller |         khw/stock |
|-----------|----------------:|----------------:|------------------:|
| time to a | 2.0 s (1.0–4.0) | 1.0 s (1.0–1.0) | 0.50× (0.25–1.00) |
| b as well |                 |            7 MB |                   |

Median (least–most) of 3; the ratio is that of the pairs. 2 cores, 8000 MB, Linux 6.1, amd64, Kubernetes v1; 2026-01-02
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

func TestFlags(t *testing.T) {
	for _, test := range []struct {
		args, err string
		rows      []string
	}{
		{args: ""},
		{args: "-rows b", rows: []string{"b"}},
		{args: "-rows a,b", rows: []string{"a", "b"}},
		{args: "-rows c", err: `there is no row "c"; use some of a,b`},
		{args: "-rows a,", err: `there is no row ""`},
		{args: "-only khw"},
		{args: "-only them", err: "use one of stock, khw"},
	} {
		var o Options
		fs := flag.NewFlagSet("test", flag.ContinueOnError)
		fs.SetOutput(io.Discard)
		o.Flags(fs, someSuite, 3)
		err := fs.Parse(strings.Fields(test.args))
		if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: %v, want %q", test.args, err, test.err)
		}
		if test.err == "" && !slices.Equal(o.Rows, test.rows) {
			t.Errorf("%s: rows %v, want %v", test.args, o.Rows, test.rows)
		}
	}
}

func TestNothingIsMeasuredThatCannotBeWritten(t *testing.T) {
	s := someSuite
	s.Measure = func(context.Context, subject.Kind, Wanted) (Figures, error) {
		t.Error("measured")
		return nil, errors.New("measured")
	}
	for _, o := range []Options{{Runs: 0}, {Runs: 1, JSON: filepath.Join(t.TempDir(), "missing", "b.json")}} {
		if err := Run(t.Context(), io.Discard, s, &o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestJSONHasAllValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	r := &Result{Runs: 2, Order: [][]subject.Kind{order(0, ""), order(1, "")}, Rows: []RowResult{newRowResult(someSuite.Rows[0], map[subject.Kind][]Figures{
		subject.Stock: {{"a": 10}, {"a": 20}}, subject.KHW: {{"a": 5}, {"a": 20}},
	})}}
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got Result
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if row := got.Rows[0]; row.Key != "a" || !slices.Equal(row.Stock.Values, []float64{10, 20}) || !slices.Equal(row.Ratio.Values, []float64{0.5, 1}) || len(got.Order) != 2 {
		t.Errorf("written: %s", data)
	}
}

func TestMachine(t *testing.T) {
	m, err := readMachine()
	if err != nil || m.Cores < 1 || m.MemoryMB < 100 || !strings.Contains(m.Kernel, ".") {
		t.Errorf("%+v, %v", m, err)
	}
}

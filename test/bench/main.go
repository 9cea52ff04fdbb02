// SPDX-License-Identifier: Apache-2.0

// Command bench starts the stock daemons, one process each as in the lab, and
// khw-controller in turn, gives both the same work, and prints what each took.
// It judges nothing.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"

	restclient "k8s.io/client-go/rest"
)

// row is one figure of the result.
type row struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// More tells that more is better.
	More  bool      `json:"moreIsBetter"`
	Stock []float64 `json:"stock"`
	KHW   []float64 `json:"khwController"`
	// Ratio is khw-controller's median over stock's.
	Ratio float64 `json:"ratio"`
}

// subjects are measured in turn.
var subjects = []struct {
	name string
	make func(site) subject
}{
	{"stock", func(s site) subject { return &stock{site: s} }},
	{"khw", func(s site) subject { return &khw{site: s} }},
}

func main() {
	runs := flag.Int("runs", 3, "how often each is measured; the median counts")
	file := flag.String("json", "", "a file to write the result to as JSON")
	only := flag.String("only", "", "measure only stock or khw")
	healthz := flag.Bool("healthz", false, "compare health checks with the lab's nginx instead")
	flag.Parse()
	restclient.SetDefaultWarningHandler(restclient.NoWarnings{})
	run := func() error { return bench(*runs, *file, *only) }
	if *healthz {
		run = func() error { return benchHealthz(*runs) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(runs int, file, only string) error {
	rows := []row{
		{Name: "time to /readyz", Unit: "s"},
		{Name: "time to both leases", Unit: "s"},
		{Name: "time to the first default service account", Unit: "s"},
		{Name: "CPU time until then", Unit: "s"},
		{Name: "memory when idle (PSS)", Unit: "MB"},
		{Name: "CPU when idle", Unit: "s/min"},
		{Name: "3,000 pods bound onto 500 nodes", Unit: "pods/s", More: true},
		{Name: "time series on the three metrics pages after that", Unit: "series"},
	}
	for i := range runs {
		for _, s := range subjects {
			if only != "" && only != s.name {
				continue
			}
			figures, err := measure(s.make)
			if err != nil {
				return fmt.Errorf("run %d of %s: %w", i+1, s.name, err)
			}
			fmt.Fprintf(os.Stderr, "run %d of %s: %.2f\n", i+1, s.name, figures)
			for j, f := range figures {
				if s.name == "stock" {
					rows[j].Stock = append(rows[j].Stock, f)
				} else {
					rows[j].KHW = append(rows[j].KHW, f)
				}
			}
		}
	}
	for i := range rows {
		rows[i].Ratio = median(rows[i].KHW) / median(rows[i].Stock)
	}
	print(rows, runs)
	if file == "" {
		return nil
	}
	data, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

func print(rows []row, runs int) {
	fmt.Printf("Medians of %d runs. Stock: etcd and three daemons with the lab's flags, all started at once;\n"+
		"a daemon that gives up waiting for the apiserver is started again after 1 s.\n\n", runs)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tstock\tkhw-controller\tkhw/stock\t")
	for _, r := range rows {
		fmt.Fprintf(w, "%s, %s\t%.2f\t%.2f\t%.2f\t\n", r.Name, r.Unit, median(r.Stock), median(r.KHW), r.Ratio)
	}
	w.Flush()
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

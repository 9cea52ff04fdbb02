// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/e2e/harness/cluster"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// How long is waited before idleness is measured, and for how long it is.
const (
	settle = 20 * time.Second
	window = 30 * time.Second
)

// measure returns the figures of one run in the order of the rows.
func measure(newSubject func(site) subject) (figures []float64, err error) {
	err = onNewSite(func(s site) error {
		figures, err = measureOn(s, newSubject)
		return err
	})
	return figures, err
}

func measureOn(site site, newSubject func(site) subject) (figures []float64, err error) {
	s := newSubject(site)
	client, err := protobufClient(site)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := s.start(); err != nil {
		return nil, err
	}
	defer s.stop() // before the directory goes
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for _, m := range milestones {
		if err := process.WaitFor(ctx, pollEvery, m.name, func(ctx context.Context) error { return m.reached(ctx, client) }); err != nil {
			return nil, err
		}
		figures = append(figures, time.Since(begun).Seconds())
	}
	cpu, err := cpuSeconds(s.pids())
	if err != nil {
		return nil, err
	}
	figures = append(figures, cpu)
	idle, err := measureIdle(s)
	if err != nil {
		return nil, err
	}
	rate, err := bindPods(client)
	if err != nil {
		return nil, err
	}
	series, err := countSeries(site)
	return append(append(figures, idle...), rate, series), err
}

// How often a milestone is looked for, and for how long.
const (
	pollEvery    = 20 * time.Millisecond
	startTimeout = 2 * time.Minute
)

// milestones of a start, in the order of the rows.
var milestones = []struct {
	name    string
	reached func(context.Context, kubernetes.Interface) error
}{
	{"/readyz", cluster.Readyz},
	{"both leases", cluster.BothHeld},
	{"the default service account", cluster.DefaultServiceAccount},
}

// protobufClient speaks as components do; decoding JSON would cost the
// benchmark more than the pods cost the server.
func protobufClient(s site) (*kubernetes.Clientset, error) {
	config, err := cluster.Config(filepath.Join(s.lab(), "admin.kubeconfig"))
	if err != nil {
		return nil, err
	}
	config.ContentType = runtime.ContentTypeProtobuf
	return kubernetes.NewForConfig(config)
}

// scrapeTimeout is what reading all metrics pages may take.
const scrapeTimeout = 30 * time.Second

// countSeries returns what Prometheus would store of one scrape of all ports.
func countSeries(s site) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	pages, err := cluster.MetricsPages(ctx, filepath.Join(s.lab(), "admin.kubeconfig"), s.ports)
	return float64(cluster.Series(pages)), err
}

// measureIdle returns memory in MB and CPU seconds per minute.
func measureIdle(s subject) ([]float64, error) {
	time.Sleep(settle)
	before, err := cpuSeconds(s.pids())
	if err != nil {
		return nil, err
	}
	time.Sleep(window)
	after, err := cpuSeconds(s.pids())
	if err != nil {
		return nil, err
	}
	memory, err := pss(s.pids())
	return []float64{memory, (after - before) * float64(time.Minute) / float64(window)}, err
}

// ticks is how many clock ticks the kernel counts per second (USER_HZ).
const ticks = 100

func cpuSeconds(pids []int) (float64, error) {
	total := 0.0
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		// The name in parentheses may hold spaces.
		f := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		for _, field := range f[11:13] { // utime, stime
			n, err := strconv.Atoi(field)
			if err != nil {
				return 0, err
			}
			total += float64(n) / ticks
		}
	}
	return total, nil
}

func pss(pids []int) (float64, error) {
	total := 0.0
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		for _, line := range strings.Split(string(data), "\n") {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				kb, err := strconv.Atoi(f[1])
				if err != nil {
					return 0, err
				}
				total += float64(kb) / 1024
			}
		}
	}
	return total, nil
}

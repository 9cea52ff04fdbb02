// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Metrics of a member (etcd, server/storage/wal/metrics.go, and Prometheus' own).
const (
	fsyncSeconds = "etcd_disk_wal_fsync_duration_seconds"
	startSeconds = "process_start_time_seconds"
)

// sample is a member's histogram of fsync durations at one moment.
type sample struct {
	at, started time.Time
	buckets     []bucket // by bound
}

// bucket counts the fsyncs that took at most bound seconds.
type bucket struct {
	bound float64
	count uint64
}

// since returns what was counted after before.
func (s sample) since(before sample) []bucket {
	out := slices.Clone(s.buckets)
	for i := range before.buckets {
		if i < len(out) {
			out[i].count -= before.buckets[i].count
		}
	}
	return out
}

// scrape takes a sample from a member's metrics page.
func scrape(ctx context.Context, client *http.Client, url string) (sample, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return sample{}, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return sample{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return sample{}, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return sample{}, err
	}
	return sampleOf(families)
}

func sampleOf(families map[string]*dto.MetricFamily) (sample, error) {
	writes, start := families[fsyncSeconds].GetMetric(), families[startSeconds].GetMetric()
	if len(writes) == 0 || len(start) == 0 {
		return sample{}, errors.New("the page has no " + fsyncSeconds + " and " + startSeconds)
	}
	seconds, fraction := math.Modf(start[0].GetGauge().GetValue())
	s := sample{at: time.Now(), started: time.Unix(int64(seconds), int64(fraction*1e9))}
	for _, b := range writes[0].GetHistogram().GetBucket() {
		s.buckets = append(s.buckets, bucket{b.GetUpperBound(), b.GetCumulativeCount()})
	}
	return s, nil
}

// quantile returns the value below which q of what was counted lies, as
// Prometheus' histogram_quantile does; 0 when nothing was counted. Beyond the
// last finite bound it returns that bound.
func quantile(q float64, buckets []bucket) float64 {
	if len(buckets) == 0 || buckets[len(buckets)-1].count == 0 {
		return 0
	}
	rank := q * float64(buckets[len(buckets)-1].count)
	lower, below := 0.0, uint64(0)
	for _, b := range buckets {
		if float64(b.count) >= rank {
			if math.IsInf(b.bound, 1) {
				return lower
			}
			return lower + (b.bound-lower)*(rank-float64(below))/float64(b.count-below)
		}
		lower, below = b.bound, b.count
	}
	return lower
}

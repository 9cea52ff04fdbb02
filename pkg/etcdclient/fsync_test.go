// SPDX-License-Identifier: Apache-2.0

package etcdclient

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	inf := math.Inf(1)
	tests := map[string]struct {
		buckets []bucket
		want    float64
	}{
		"nothing counted":        {[]bucket{{0.001, 0}, {inf, 0}}, 0},
		"no buckets":             {nil, 0},
		"all in the first":       {[]bucket{{0.001, 100}, {0.002, 100}, {inf, 100}}, 0.00099},
		"within a bucket":        {[]bucket{{0.001, 90}, {0.002, 100}, {inf, 100}}, 0.0019},
		"at a bound":             {[]bucket{{0.001, 99}, {0.002, 100}, {inf, 100}}, 0.001},
		"beyond the last bound":  {[]bucket{{0.001, 0}, {8.192, 50}, {inf, 100}}, 8.192},
		"an empty bucket inside": {[]bucket{{0.001, 50}, {0.002, 50}, {0.004, 100}, {inf, 100}}, 0.00396},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := quantile(0.99, test.buckets); math.Abs(got-test.want) > 1e-9 {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

const page = `# TYPE etcd_disk_wal_fsync_duration_seconds histogram
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 90
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.002"} 100
etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 100
etcd_disk_wal_fsync_duration_seconds_sum 0.05
etcd_disk_wal_fsync_duration_seconds_count 100
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7e+09
`

func TestScrape(t *testing.T) {
	for name, test := range map[string]struct {
		code int
		page string
		says string
	}{
		"a member's page": {200, page, ""},
		"another page":    {200, "up 1\n", "has no etcd_disk_wal_fsync_duration_seconds"},
		"not a page":      {200, "<html>", "text format parsing error"},
		"no page":         {404, "", "404"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.code)
				_, _ = w.Write([]byte(test.page))
			}))
			defer server.Close()
			s, err := scrape(t.Context(), server.Client(), server.URL)
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want an error that says %q", err, test.says)
			}
			if err == nil && (len(s.buckets) != 3 || s.started.Unix() != 1.7e9) {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestHistoryIsTheLastFiveMinutesOfOneMember(t *testing.T) {
	o := NewObserver(Config{})
	start := time.Unix(1000, 0)
	at := func(minute int, started time.Time) sample {
		return sample{at: start.Add(time.Duration(minute) * time.Minute), started: started}
	}
	for _, step := range []struct {
		now  sample
		want time.Time
	}{
		{at(1, start), start}, // since the member's start
		{at(2, start), at(1, start).at},
		{at(5, start), at(1, start).at},
		{at(7, start), at(2, start).at},
		{at(30, start), start}, // nobody looked for long
		{at(32, at(31, start).at), at(31, start).at},
	} {
		if got := o.remember("m", step.now).at; !got.Equal(step.want) {
			t.Errorf("at %s since %s, want %s", step.now.at, got, step.want)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSkewBetween(t *testing.T) {
	at := func(d time.Duration) time.Time { return time.Unix(1_800_000_000, 0).Add(d) }
	for name, test := range map[string]struct {
		asked, answered, theirs time.Duration // theirs is cut to whole seconds
		want                    time.Duration
	}{
		"the same second":                {300 * time.Millisecond, 400 * time.Millisecond, 0, 0},
		"over the end of a second":       {900 * time.Millisecond, 1100 * time.Millisecond, time.Second, 0},
		"late in the one before":         {1100 * time.Millisecond, 1200 * time.Millisecond, 0, -100 * time.Millisecond},
		"a slow answer":                  {0, 9 * time.Second, 5 * time.Second, 0},
		"ahead":                          {0, 100 * time.Millisecond, 40 * time.Second, 39900 * time.Millisecond},
		"behind":                         {time.Minute, time.Minute, 0, -59 * time.Second},
		"ahead by less than can be said": {100 * time.Millisecond, 200 * time.Millisecond, time.Second, 800 * time.Millisecond},
	} {
		if got := skewBetween(at(test.asked), at(test.answered), at(test.theirs)); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestSkew(t *testing.T) {
	in, files := sound(t)
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(ahead time.Duration) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
			http.Error(w, "who are you?", http.StatusUnauthorized)
		}))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	right, ahead, behind := serve(0), serve(time.Hour), serve(-time.Minute)
	skew := MeasureSkew(t.Context(), in.Plan, []string{right, ahead, "127.0.0.1:1", behind})
	if worst := skew.Worst().Round(time.Minute); worst != time.Hour {
		t.Errorf("the worst is %s", worst)
	}
	got := skew.Findings()
	if len(got) != 2 || got[0].Severity != Warning {
		t.Fatalf("it finds %v", got)
	}
	for i, want := range []struct{ address, how string }{{ahead, "ahead of"}, {behind, "behind"}} {
		if text := got[i].String(); !strings.Contains(text, "the controller at "+want.address) || !strings.Contains(text, want.how+" this machine's") {
			t.Errorf("got %s, want %v", text, want)
		}
	}
	write(t, files.CA, "hello")
	if got := MeasureSkew(t.Context(), in.Plan, []string{ahead}).Findings(); len(got) > 0 {
		t.Errorf("a server of another CA is believed: %v", got)
	}
}

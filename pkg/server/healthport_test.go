// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/khw-controller/khw-controller/pkg/healthz"
)

func TestANoOfTheHealthPortIsTroubleAfterAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var told []string
		w := newPortWatch("192.0.2.10:80", func(problem string) {
			if len(told) == 0 && problem != "" || len(told) > 0 && told[len(told)-1] != problem {
				told = append(told, problem)
			}
		})
		w.question.put = func(context.Context) healthz.Verdict {
			switch now := time.Since(begun); {
			case now < 10*time.Second:
				return healthz.Starting
			case now < 12*time.Second, now >= 60*time.Second && now < 70*time.Second:
				return healthz.Etcd
			case now > 100*time.Second:
				return healthz.Stopping
			}
			return healthz.OK
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		w.run(ctx)
		want := []string{`health checks at 192.0.2.10:80 are answered with "etcd"; load balancers send nobody here`, ""}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

func TestWhatTheHealthPortSays(t *testing.T) {
	says := "etcd"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(says)) }))
	address := strings.TrimPrefix(s.URL, "http://")
	if got := askHealthPort(t.Context(), address); got != healthz.Etcd {
		t.Errorf("got %q", got)
	}
	says = strings.Repeat("<html>", 100)
	if got := askHealthPort(t.Context(), address); len(got) > 64 {
		t.Errorf("%d bytes of somebody else's page", len(got))
	}
	s.Close()
	if got := askHealthPort(t.Context(), address); got != noAnswer {
		t.Errorf("of nobody: %q", got)
	}
	if got := askHealthPort(t.Context(), "no address"); got != noAnswer {
		t.Errorf("at no address: %q", got)
	}
	if newPortWatch("", nil) != nil {
		t.Error("a health port that is turned off is watched")
	}
}

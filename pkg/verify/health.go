// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/connerr"
	"github.com/khw-controller/khw-controller/pkg/healthz"
)

// healthHost is the Host of the lab's health checks.
const healthHost = "kubernetes.default.svc.cluster.local"

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// nextForVerdict is what to do about each verdict of the health proxy.
var nextForVerdict = map[healthz.Verdict]string{
	healthz.Starting:    "wait for it, and see khw-controller status if it stays so",
	healthz.Stopping:    "the controller is being stopped; start it again when that is done",
	healthz.Etcd:        "see the step etcd members",
	healthz.Hung:        "the apiserver takes connections and does not answer: see journalctl -u khw-controller",
	healthz.Slow:        "the apiserver takes more than 2 s to answer: see the load of the machine and of etcd's disk",
	healthz.Unhealthy:   "one of the apiserver's own checks fails: khw-controller kubectl get --raw '/readyz?verbose'",
	healthz.Refused:     "the apiserver there is not this controller's: see what else listens on its port: ss -ltnp",
	healthz.Certificate: "sign kubernetes.pem with ca.pem, for 127.0.0.1 (or the apiserver's bind-address) too, as in lab chapter 04",
	healthz.Unreachable: "the apiserver does not listen: see khw-controller status",
}

// checkHealth is the lab's
// `curl -H "Host: kubernetes.default.svc.cluster.local" -i http://127.0.0.1/healthz`.
func checkHealth(ctx context.Context, t Target) checkResult {
	if t.HealthAddress == "" {
		return checkResult{skipped: "--healthz-bind-address is empty, so that nothing answers health checks"}
	}
	url := "http://" + strings.TrimSuffix(t.HealthAddress, ":80") + "/healthz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return failed(connerr.OneLine(err), "correct --healthz-bind-address")
	}
	req.Host = healthHost
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		reason, words := connerr.Explain(err)
		next := "see what answers there: ss -ltnp"
		if reason == connerr.Refused {
			next = t.startIt()
		}
		return failed(url+" "+words, next)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		_, words := connerr.Explain(err)
		return failed(url+" "+words, "see journalctl -u khw-controller")
	}
	return evaluateHealth(url, resp, strings.TrimSpace(string(body)))
}

func evaluateHealth(url string, resp *http.Response, body string) (r checkResult) {
	const contentType = "text/plain; charset=utf-8"
	got := resp.Header.Get("Content-Type")
	next, ours := nextForVerdict[healthz.Verdict(body)]
	switch server := resp.Header.Get("Server"); {
	case resp.StatusCode == http.StatusOK && body == "ok" && got == contentType:
		r.output = []string{resp.Proto + " " + resp.Status, "Content-Type: " + got, "", body}
	case resp.StatusCode == http.StatusServiceUnavailable && ours:
		r.fail(fmt.Sprintf("%s answers %s, %s", url, resp.Status, body), next)
	case server != "":
		r.fail(fmt.Sprintf("%s is answered by %s: %s", url, server, resp.Status), "stop it (for the lab's nginx: systemctl disable --now nginx) and restart khw-controller")
	default:
		r.fail(fmt.Sprintf("%s answers %s, Content-Type %q, %.40q, want 200 OK, %q, \"ok\"", url, resp.Status, got, body, contentType), "see what answers there: ss -ltnp")
	}
	return r
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/khw-controller/khw-controller/test/bench/pairs"
	"github.com/khw-controller/khw-controller/test/bench/subject"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// How long health checks are asked for, and how long idleness is measured before.
const (
	askFor  = 10 * time.Second
	restFor = 10 * time.Second
)

// answerer is one of the two who answer health checks.
type answerer struct {
	name    string
	address string
	pids    []int // besides the apiserver's
}

// benchHealthz compares the health proxy with nginx and the lab's site file,
// both before the same running apiserver.
func benchHealthz(ctx context.Context, runs int) error {
	return subject.Use(ctx, subject.KHW, nil, func(r *subject.Run) error { return benchHealthzOn(ctx, r, runs) })
}

func benchHealthzOn(ctx context.Context, controller *subject.Run, runs int) error {
	if _, err := controller.StartReady(ctx); err != nil {
		return err
	}
	nginx, port, err := startNginx(controller.Site)
	if err != nil {
		return err
	}
	defer nginx.Kill()
	if err := subject.Rest(ctx, settle); err != nil {
		return err
	}
	answerers := []answerer{
		{"nginx", fmt.Sprintf("127.0.0.1:%d", port), []int{nginx.PID()}},
		{"khw-controller", fmt.Sprintf("127.0.0.1:%d", controller.Ports.Health), nil},
	}
	fmt.Printf("Health checks before one apiserver, %s each, %d connections; the load's own CPU is not counted.\n\n", askFor, askers)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\t\tchecks/s\tper s of its CPU\tper s of its and the apiserver's CPU\tto the apiserver/s\t")
	for _, way := range []asking{{"kept connections", true}, {"one connection each", false}} {
		for _, a := range answerers {
			var rates, alone, all, through []float64
			for range runs {
				f, err := askOf(ctx, a, way, controller)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", a.name, way.name, err)
				}
				rates, alone, all, through = append(rates, f[0]), append(alone, f[1]), append(all, f[2]), append(through, f[3])
			}
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.1f\t\n", way.name, a.name, pairs.Median(rates), pairs.Median(alone), pairs.Median(all), pairs.Median(through))
		}
	}
	return w.Flush()
}

// askOf returns checks per second, per second of a's own CPU time, per second of
// CPU time with what the apiserver used for them, and how many a second reached
// the apiserver. The health proxy lives in the apiserver's process, so that its
// own is all.
func askOf(ctx context.Context, a answerer, way asking, controller *subject.Run) ([]float64, error) {
	idle, err := subject.CPUDuring(controller.CPUSeconds, func() error { return subject.Rest(ctx, restFor) })
	if err != nil {
		return nil, err
	}
	var checks int
	var took time.Duration
	var own float64
	probes, err := probed(ctx, controller.Client)
	if err != nil {
		return nil, err
	}
	busy, err := subject.CPUDuring(controller.CPUSeconds, func() (err error) {
		own, err = subject.CPUDuring(func() (float64, error) { return subject.CPUSeconds(a.pids) }, func() (err error) {
			checks, took, err = ask(a.address, way.keep, askFor)
			return err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	through := float64(checks)
	caused := busy - idle*took.Seconds()/restFor.Seconds()
	if a.pids == nil {
		own = caused
		now, err := probed(ctx, controller.Client)
		if err != nil {
			return nil, err
		}
		through = float64(now - probes)
		caused = 0
	}
	n := float64(checks)
	return []float64{n / took.Seconds(), n / own, n / (own + caused), through / took.Seconds()}, nil
}

// probed reads how many questions the health proxy has put to the apiserver.
func probed(ctx context.Context, client kubernetes.Interface) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	metrics, err := client.Discovery().RESTClient().Get().AbsPath("/metrics").Do(ctx).Raw()
	if err != nil {
		return 0, err
	}
	total := 0
	for line := range strings.Lines(string(metrics)) {
		if strings.HasPrefix(line, "khw_healthz_probes_total{") {
			n, err := strconv.Atoi(strings.TrimSpace(line[strings.LastIndex(line, " ")+1:]))
			if err != nil {
				return 0, err
			}
			total += n
		}
	}
	return total, nil
}

// startNginx starts nginx with the lab's site file, which is moved to a free port
// and to the apiserver's, and Debian's nginx.conf around it. One process takes
// the place of a master with workers: it does the same, and none is left behind.
func startNginx(s subject.Site) (*process.Process, int, error) {
	path, err := filepath.Abs("bin/stock/nginx")
	if err != nil {
		return nil, 0, err
	}
	if _, err := exec.LookPath(path); err != nil {
		return nil, 0, fmt.Errorf("%w; run make bench-healthz", err)
	}
	ports, err := process.FreePorts(1)
	if err != nil {
		return nil, 0, err
	}
	prefix := filepath.Join(s.Dir, "nginx")
	if err := os.Mkdir(prefix, 0o755); err != nil {
		return nil, 0, err
	}
	conf := filepath.Join(prefix, "nginx.conf")
	content := fmt.Sprintf(nginxConf, ports[0], s.Ports.APIServer, s.Lab("ca.pem"))
	if err := os.WriteFile(conf, []byte(content), 0o644); err != nil {
		return nil, 0, err
	}
	p, err := process.Start(process.Spec{Path: path, Args: []string{"-p", prefix, "-c", conf, "-e", filepath.Join(prefix, "error.log")}, Log: s.Log("nginx")})
	return p, ports[0], err
}

const nginxConf = `daemon off;
master_process off;
pid nginx.pid;
events {
  worker_connections 768;
}
http {
  sendfile on;
  tcp_nopush on;
  types_hash_max_size 2048;
  default_type application/octet-stream;
  access_log access.log;
  gzip on;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;

  server {
    listen      127.0.0.1:%d;
    server_name kubernetes.default.svc.cluster.local;

    location /healthz {
       proxy_pass                    https://127.0.0.1:%d/healthz;
       proxy_ssl_trusted_certificate %s;
    }
  }
}
`

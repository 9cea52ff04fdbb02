// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/khw-controller/khw-controller/pkg/plan"
)

// skewTolerated is how far clocks may be apart. An answer's time is in whole seconds;
// certificates and tokens that were just made are not valid yet on a machine that is
// behind.
const skewTolerated = 3 * time.Second

// skewTimeout is what the other controllers may take to answer.
const skewTimeout = 2 * time.Second

// checkSkew asks the other controllers for their time. Those that do not answer are
// for other checks.
func checkSkew(ctx context.Context, in input) []Finding {
	var others []string
	for _, c := range in.Controllers {
		if c != in.Self {
			others = append(others, net.JoinHostPort(c.Address.String(), strconv.Itoa(in.Port)))
		}
	}
	return MeasureSkew(ctx, in.Plan, others).Findings()
}

// Skew is how far ahead of this machine's clock those of other controllers are.
type Skew []skewed

type skewed struct {
	address string // of the apiserver, host:port
	ahead   time.Duration
}

// MeasureSkew compares this machine's clock with those of other controllers, whose
// apiservers are at addresses, host:port.
func MeasureSkew(ctx context.Context, p *plan.Plan, addresses []string) Skew {
	ctx, cancel := context.WithTimeout(ctx, skewTimeout)
	defer cancel()
	client, err := skewClient(p)
	if err != nil {
		return nil // told by the checks of the CA
	}
	defer client.CloseIdleConnections()
	found := make(Skew, len(addresses))
	var asking sync.WaitGroup
	for i, address := range addresses {
		asking.Go(func() { found[i] = skewed{address, skewOf(ctx, client, address)} })
	}
	asking.Wait()
	return found
}

// Worst is how far the clocks are apart at most.
func (s Skew) Worst() time.Duration {
	var worst time.Duration
	for _, c := range s {
		worst = max(worst, c.ahead.Abs())
	}
	return worst
}

// Findings are warnings of clocks that are too far apart.
func (s Skew) Findings() []Finding {
	var found []Finding
	for _, c := range s {
		found = append(found, judgeSkew(c.address, c.ahead)...)
	}
	return found
}

func judgeSkew(address string, ahead time.Duration) []Finding {
	if ahead.Abs() <= skewTolerated {
		return nil
	}
	than := "ahead of"
	if ahead < 0 {
		than = "behind"
	}
	return warning("clock", fmt.Sprintf("that of the controller at %s is %s %s this machine's: what one has just signed is not valid yet, or not any more, on the other",
		address, ahead.Abs().Round(time.Second), than), "have NTP set both (timedatectl)")
}

// skewClient trusts the CA of the controllers.
func skewClient(p *plan.Plan) (*http.Client, error) {
	ca, err := os.ReadFile(p.Files.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}, nil
}

// skewOf returns how far ahead of this machine's clock that of a server is; 0 where it
// does not say. Whatever the server answers, the time of it is in the header.
func skewOf(ctx context.Context, client *http.Client, address string) time.Duration {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/version", http.NoBody)
	if err != nil {
		return 0
	}
	asked := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	answered := time.Now()
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0
	}
	return skewBetween(asked, answered, theirs)
}

// skewBetween returns how far ahead a clock is that said theirs, cut to whole seconds,
// between two moments of this one.
func skewBetween(asked, answered, theirs time.Time) time.Duration {
	switch latest := theirs.Add(time.Second); {
	case theirs.After(answered):
		return theirs.Sub(answered)
	case latest.Before(asked):
		return latest.Sub(asked)
	}
	return 0
}

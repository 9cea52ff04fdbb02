// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/khw-controller/khw-controller/test/conformance"
	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// suite is upstream's e2e.test for one cluster.
type suite struct {
	*harness.Env
	start               func(name string, s process.Spec) *process.Process
	kubeconfig, kubectl string
	// reports is where the JUnit files go.
	reports string
	// flags are those of e2e.test, beside those that every cluster needs.
	flags []string
}

// run runs the cases that ginkgo's flags choose, so many at once, and returns what
// became of them. They are over within d.
func (s *suite) run(name string, procs int, d time.Duration, choice ...string) conformance.Report {
	s.Helper()
	s.Must(os.MkdirAll(s.reports, 0o755))
	report := filepath.Join(s.reports, "junit_"+name+"-01.xml")
	s.Must(os.RemoveAll(report))
	args := append([]string{
		fmt.Sprintf("--procs=%d", procs), "--timeout=" + d.String(), "--seed=1", "--no-color", "--silence-skips",
	}, choice...)
	args = append(args, s.ConformanceProgram("e2e.test"), "--",
		"--kubeconfig="+s.kubeconfig, "--kubectl-path="+s.kubectl, "--provider=skeleton",
		"--report-dir="+s.reports, "--report-prefix="+name+"-", "--e2e-output-dir="+s.Path("output"), "--disable-log-dump")
	p := s.start("e2e-"+name, process.Spec{
		Path: s.ConformanceProgram("ginkgo"), Args: append(args, s.flags...), Env: []string{
			"KUBECACHEDIR=" + s.Path("kubectl-cache"), "TMPDIR=" + s.Dir,
			"GOPROXY=off", // ginkgo asks go which ginkgo this module has, which is none
		},
	})
	p.ExitCode() // says no more than the report does
	r, err := conformance.Read(report)
	if err != nil {
		s.Fatalf("%v; the end of %s:\n%s", err, p.Log, p.Tail(30))
	}
	s.Logf("%s: %d passed, %d failed, %d skipped themselves, in %s", name,
		len(r.In(conformance.Passed)), len(r.In(conformance.Failed)), len(r.In(conformance.Skipped)), time.Since(p.Started).Round(time.Second))
	return r
}

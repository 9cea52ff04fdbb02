// SPDX-License-Identifier: Apache-2.0

package status

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/khw-controller/khw-controller/pkg/crash"
	"github.com/khw-controller/khw-controller/pkg/instance"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// unserved is the answer where nobody serves the socket of root.
func unserved(root string) answer {
	info, held, err := instance.Holder(paths.Lock.Below(root))
	switch {
	case err != nil:
		return silent(thisController, err)
	case held:
		return silent(thisController, fmt.Errorf("process %d starts or stops, or serves no status; see its log", info.PID))
	}
	return down(thisController, whyDown(root, info))
}

// whyDown says why no process runs for root, from what the last one left behind.
func whyDown(root string, info instance.Info) error {
	switch {
	case info.PID == 0:
		return errors.New("khw-controller has not run here yet; start it with systemctl start khw-controller")
	case info.Error != "":
		return fmt.Errorf("it ended %s ago, because %s; see journalctl -u khw-controller, and start it with systemctl start khw-controller",
			duration.HumanDuration(time.Since(info.Ended)), info.Error)
	case !info.Ended.IsZero():
		return fmt.Errorf("it was stopped in order %s ago; start it with systemctl start khw-controller",
			duration.HumanDuration(time.Since(info.Ended)))
	}
	reason := "it was killed, or the machine went down"
	if summary, err := crash.Summary(paths.Crash.Below(root)); err == nil && summary != "" {
		reason = summary
	}
	return fmt.Errorf("process %d, started %s ago, did not end in order: %s; see journalctl -u khw-controller",
		info.PID, duration.HumanDuration(time.Since(info.Started)), reason)
}

// whySilent says what is known of the process of root that does not answer.
func whySilent(root string) error {
	info, held, err := instance.Holder(paths.Lock.Below(root))
	switch {
	case err != nil:
		return err
	case !held:
		return fmt.Errorf("nothing came back within %s, and no process holds the lock any more: it has ended this moment", answerTimeout)
	case paused(info.PID):
		return fmt.Errorf("process %d is paused (SIGSTOP, or a debugger); kill -CONT %d lets it go on", info.PID, info.PID)
	}
	return fmt.Errorf("process %d is there and has not answered within %s: the machine is short of CPU time, or it hangs; see journalctl -u khw-controller",
		info.PID, answerTimeout)
}

// paused reports whether a process is stopped, by a signal or by a tracer
// (proc_pid_stat(5), the field after the name in brackets).
func paused(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(" "))
	return len(after) > 0 && (after[0] == 'T' || after[0] == 't')
}

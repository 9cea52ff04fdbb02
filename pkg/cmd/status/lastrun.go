// SPDX-License-Identifier: Apache-2.0

package status

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/khw-controller/khw-controller/pkg/crash"
	"github.com/khw-controller/khw-controller/pkg/instance"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

// whyDown says why no process answers for root, from what the last one left
// behind.
func whyDown(root string) error {
	info, held, err := instance.Holder(paths.Lock.Below(root))
	switch {
	case err != nil:
		return err
	case held:
		return fmt.Errorf("process %d starts or stops, or serves no status; see its log", info.PID)
	case info.PID == 0:
		return errors.New("khw-controller has not run here yet; start it with systemctl start khw-controller")
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

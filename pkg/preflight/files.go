// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/khw-controller/khw-controller/pkg/instance"
	"github.com/khw-controller/khw-controller/pkg/paths"
)

func checkLock(in input) []Finding {
	path := in.Path(paths.Lock)
	holder, held, err := instance.Holder(path)
	switch {
	case err != nil:
		return failure(path, "cannot be read: "+reason(err), "run as the user who owns it, or correct its mode")
	case held:
		return failure(path, fmt.Sprintf("another khw-controller, process %d, runs on this root", holder.PID),
			"stop it or choose another --root")
	}
	return nil
}

// checkRequired reports the lab's files that are missing while others are
// there: making the rest would mean a second CA beside the first.
func checkRequired(in input) []Finding {
	var missing, all []string
	var found []Finding
	for _, path := range in.Files.Required() {
		all = append(all, path)
		_, err := os.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			missing = append(missing, path)
		case err != nil:
			found = append(found, failure(path, "cannot be read: "+reason(err), "correct the path or its mode")...)
		}
	}
	if len(missing) > 0 {
		found = append(found, failure(strings.Join(missing, ", "),
			fmt.Sprintf("missing, while %d other files of the lab are there", len(all)-len(missing)),
			"put the missing ones in place, or move the others away to have all of them made")...)
	}
	return found
}

// checkGenerate reports what a new CA and a new encryption key would not match.
func checkGenerate(in input) []Finding {
	dir := filepath.Dir(in.Files.Required()[0])
	if in.Etcd != nil && in.IsCluster() {
		return failure("--controllers", "none of the lab's files is in "+dir+", and the controllers have to share one certificate authority and encryption key",
			"make them once with khw-controller init --controllers "+in.Controllers.String()+", and copy them to every controller")
	}
	if in.Etcd == nil {
		return failure("--etcd-servers", "none of the lab's files is in "+dir+", and a new CA would not be that of this etcd",
			"put the lab's certificates, kubeconfigs and encryption-config.yaml there")
	}
	if _, err := os.Stat(filepath.Join(in.Etcd.Dir, "member")); err == nil {
		return failure(in.Etcd.Dir, "holds etcd data, but none of the lab's files is in "+dir+"; a new encryption key could not read the secrets in it",
			"put the files that belong to this data back, or move the data away")
	}
	return nil
}

// reason is an error without the path that the finding names already.
func reason(err error) string {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

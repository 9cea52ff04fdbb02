// SPDX-License-Identifier: Apache-2.0

package etcdsnapshot

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/khw-controller/khw-controller/test/e2e/harness"
	"github.com/khw-controller/khw-controller/test/e2e/harness/process"
)

// The credentials of the store's owner.
const accessKey, secretKey = "KHWTEST", "of-nobody-but-this-test"

// store is a real S3 server on files, with one bucket.
type store struct {
	*harness.Env
	dir  string // of its buckets
	port int
}

func newStore(e *harness.Env) *store {
	e.Helper()
	ports, err := process.FreePorts(1)
	e.Must(err)
	s := &store{Env: e, dir: e.Path("store"), port: ports[0]}
	e.Must(os.MkdirAll(filepath.Join(s.dir, "backups"), 0o700))
	e.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	e.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return s
}

func (s *store) url() string { return fmt.Sprintf("https://127.0.0.1:%d", s.port) }

// start starts it, with a certificate of the lab's.
func (s *store) start(cert, key string) {
	s.Helper()
	s.Must(os.MkdirAll(s.Path("metadata-of-objects"), 0o700))
	p := s.Start("store", process.Spec{
		Path: s.StockBinary("versitygw"),
		Args: []string{"--port", fmt.Sprintf("127.0.0.1:%d", s.port), "--cert", cert, "--key", key, "posix", "--sidecar", s.Path("metadata-of-objects"), s.dir},
		Env:  []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey},
	})
	s.WithinAlive(p, harness.Patience, "the store to listen", func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// objects are the files in the bucket.
func (s *store) objects() []string {
	s.Helper()
	var found []string
	s.Must(filepath.WalkDir(filepath.Join(s.dir, "backups"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && filepath.Ext(path) == ".db" {
			found = append(found, path)
		}
		return err
	}))
	return found
}

// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Path is the page that shows a Report, on the socket and on the apiserver.
const Path = "/khw/status"

// Handler answers with what report returns, as JSON.
func Handler(report func(context.Context) *Report) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// A client that has gone away is no trouble of ours.
		_ = json.NewEncoder(w).Encode(report(r.Context()))
	})
}

// Listen opens the unix socket at path, for its owner alone (0600). A link there
// is followed, so that an unprivileged service can have its socket in a directory
// of its own. A socket that is there was left by a process that was killed: the
// caller holds the root's lock. Anything else there is an error.
func Listen(path string) (net.Listener, error) {
	if target, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != os.ModeSocket:
		return nil, fmt.Errorf("%s: is not a socket; move it away", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := listenUnix(path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Limits of the socket's server; a report takes less than 3 s.
const (
	headerTimeout = 2 * time.Second
	writeTimeout  = 10 * time.Second
)

// Serve answers Path on l until l is closed.
func Serve(l net.Listener, report func(context.Context) *Report) error {
	mux := http.NewServeMux()
	mux.Handle(Path, Handler(report))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout}
	if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// maxReport bounds what is read of a report, in bytes; one takes about 5 KiB.
const maxReport = 1 << 20

// Ask fetches the report at url with client.
func Ask(ctx context.Context, client *http.Client, url string) (*Report, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReport))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound:
		return nil, errors.New("its apiserver has no " + Path + "; it is not run by khw-controller")
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s", Path, resp.Status)
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("reading its report: %w", err)
	}
	return &r, nil
}

// AskSocket fetches the report at the unix socket at path.
func AskSocket(ctx context.Context, path string) (*Report, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialUnix(ctx, path)
		},
	}
	return Ask(ctx, &http.Client{Transport: transport}, "http://localhost"+Path)
}

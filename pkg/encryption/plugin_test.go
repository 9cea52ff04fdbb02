// SPDX-License-Identifier: Apache-2.0

package encryption

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"k8s.io/kms/pkg/service"
)

func TestPlugins(t *testing.T) {
	got := configuration(t, "secrets", plugin("vault", "v2"), plugin("vault", "v2"), "{kms: {apiVersion: v2, name: hsm, endpoint: 'unix:///@hsm'}}",
		"{kms: {name: old, endpoint: 'unix:///old', cachesize: 1}}", plain).Plugins()
	want := []Plugin{{"vault", "/run/vault.sock", "v2"}, {"hsm", "@hsm", "v2"}, {"old", "/old", "v1"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// vault is a KMS plugin of version v2 that tells of itself what a test wants.
type vault struct {
	service.Service
	says service.StatusResponse
	err  error
}

func (v vault) Status(context.Context) (*service.StatusResponse, error) { return &v.says, v.err }

func TestPluginsAreAsked(t *testing.T) {
	v2 := func(v vault) func(*testing.T, string) {
		return func(t *testing.T, socket string) {
			s := service.NewGRPCService(socket, time.Minute, v)
			go func() { _ = s.ListenAndServe() }()
			t.Cleanup(s.Close)
		}
	}
	says := func(version, healthz, key string) func(*testing.T, string) {
		return v2(vault{says: service.StatusResponse{Version: version, Healthz: healthz, KeyID: key}})
	}
	for name, test := range map[string]struct {
		serve   func(t *testing.T, socket string)
		version string
		says    string // "" for nothing
	}{
		"well":              {says("v2", "ok", "1"), "v2", ""},
		"well, of the beta": {says("v2beta1", "ok", "1"), "v2", ""},
		"not there":         {func(*testing.T, string) {}, "v2", ", which is not there"},
		"left behind": {func(t *testing.T, socket string) {
			l := listen(t, socket)
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			l.Close()
		}, "v2", ", which refuses the connection: nobody listens there"},
		"a file":            {func(t *testing.T, socket string) { write(t, socket, "") }, "v2", ", which refuses the connection"},
		"silent":            {func(t *testing.T, socket string) { listen(t, socket) }, "v2", "does not answer in time"},
		"silent, of v1":     {func(t *testing.T, socket string) { listen(t, socket) }, "v1", ""},
		"v1, and not there": {func(*testing.T, string) {}, "v1", ", which is not there"},
		"not a KMS plugin": {func(t *testing.T, socket string) {
			s := grpc.NewServer()
			go func() { _ = s.Serve(listen(t, socket)) }()
			t.Cleanup(s.Stop)
		}, "v2", "does not speak version v2"},
		"closing":         {func(t *testing.T, socket string) { answer(listen(t, socket), "") }, "v2", "c"},
		"of another kind": {func(t *testing.T, socket string) { answer(listen(t, socket), "HTTP/1.1 400 Bad Request\r\n\r\n") }, "v2", "d"},
		"not healthy":     {says("v2", "sealed\nsince 3 a.m.", "1"), "v2", "says that it is not healthy: sealed since 3 a.m."},
		"without a key":   {says("v2", "ok", ""), "v2", "does not say with which key it encrypts"},
		"of the future":   {says("v3", "ok", "1"), "v2", `speaks version "v3" of the KMS interface, and the configuration says v2`},
		"failing":         {v2(vault{err: errors.New("no HSM")}), "v2", "no HSM"},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			test.serve(t, socket)
			patience := time.Second
			if !strings.Contains(test.says, "in time") {
				patience = time.Minute
				awaitSocket(t, socket, test.says)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			got := Plugin{"vault", socket, test.version}.Ask(ctx)
			if (test.says == "") != (got == "") || !strings.Contains(got, test.says) || strings.Contains(got, "\n") {
				t.Errorf("it says %q, want %q", got, test.says)
			}
		})
	}
}

// awaitSocket waits until somebody listens, unless nobody will.
func awaitSocket(t *testing.T, socket, says string) {
	t.Helper()
	for !strings.HasPrefix(says, ", which") {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func listen(t *testing.T, socket string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// answer ends each connection after a text.
func answer(l net.Listener, text string) {
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(text))
			conn.Close()
		}
	}()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

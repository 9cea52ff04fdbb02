// SPDX-License-Identifier: Apache-2.0

package activation

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// asService makes this test binary take sockets, as the service does, instead of
// testing.
const asService = "KHW_TEST_TAKE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) == "" {
		os.Exit(m.Run())
	}
	s, err := Take()
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if v, ok := os.LookupEnv(name); ok {
			fmt.Printf("%s=%s is still there\n", name, v)
		}
	}
	switch {
	case err != nil:
		fmt.Println("error:", err)
	case s == nil:
		fmt.Println("none")
	default:
		fmt.Println("address", s.Address())
		for range 2 { // as when the health proxy is restarted
			if err := greet(s); err != nil {
				fmt.Println("error:", err)
			}
		}
	}
}

// greet answers one connection and closes its listener.
func greet(s *Socket) error {
	l, err := s.Listen()
	if err != nil {
		return err
	}
	defer l.Close()
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "hello")
	return err
}

// take runs Take in a process that was given files as systemd gives them. While
// it runs, during is called.
func take(t *testing.T, names string, files []*os.File, during func()) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// LISTEN_PID is known only to the process itself.
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `LISTEN_PID=$$ exec "$0"`, self)
	cmd.Env = append(os.Environ(), asService+"=1", "LISTEN_FDS="+strconv.Itoa(len(files)), "LISTEN_FDNAMES="+names)
	cmd.ExtraFiles = files
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		f.Close()
	}
	during()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, &out)
	}
	return strings.TrimSpace(out.String())
}

// filer is what TCP and Unix listeners and packet connections have in common.
type filer interface {
	File() (*os.File, error)
	io.Closer
}

func file(t *testing.T, f filer, err error) *os.File {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dup, err := f.File()
	if err != nil {
		t.Fatal(err)
	}
	return dup
}

func loopback() *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func TestWrongSockets(t *testing.T) {
	tcp := func(t *testing.T) *os.File {
		l, err := net.ListenTCP("tcp", loopback())
		return file(t, l, err)
	}
	for name, test := range map[string]struct {
		names string
		files func(t *testing.T) []*os.File
		want  string
	}{
		"none": {"", func(*testing.T) []*os.File { return nil }, "none"},
		"another name": {
			"http", func(t *testing.T) []*os.File { return []*os.File{tcp(t)} },
			`error: systemd passed the sockets "http"; want one socket with FileDescriptorName=healthz and one ListenStream= in khw-controller.socket`,
		},
		"two": {
			"healthz:healthz", func(t *testing.T) []*os.File { return []*os.File{tcp(t), tcp(t)} },
			`error: systemd passed the sockets "healthz", "healthz"; want one socket`,
		},
		"UDP": {
			"healthz", func(t *testing.T) []*os.File {
				c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
				return []*os.File{file(t, c, err)}
			},
			"error: the socket healthz that systemd passed does not listen; write ListenStream=80 and no Accept=yes into khw-controller.socket",
		},
		"a path": {
			"healthz", func(t *testing.T) []*os.File {
				l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
				return []*os.File{file(t, l, err)}
			},
			"which is no TCP port; write ListenStream=80 into khw-controller.socket",
		},
		"no socket": {
			"healthz", func(t *testing.T) []*os.File {
				f, err := os.Open(os.DevNull)
				if err != nil {
					t.Fatal(err)
				}
				return []*os.File{f}
			},
			"error: the socket healthz that systemd passed does not listen",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := take(t, test.names, test.files(t), func() {})
			if !strings.Contains(got, test.want) || strings.Contains(got, "\n") {
				t.Errorf("got %q, want one line with %q", got, test.want)
			}
		})
	}
}

func TestTheSocketOutlivesItsListeners(t *testing.T) {
	l, err := net.ListenTCP("tcp", loopback())
	f := file(t, l, err)
	address := l.Addr().String()
	got := take(t, Healthz, []*os.File{f}, func() {
		for range 2 {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if data, err := io.ReadAll(conn); err != nil || string(data) != "hello" {
				t.Errorf("got %q, %v", data, err)
			}
		}
	})
	if got != "address "+address {
		t.Errorf("the service says %q", got)
	}
}

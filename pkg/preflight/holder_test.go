// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestHolderIsFound(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if h := holderOf(l.Addr().String()); h.pid != fmt.Sprint(os.Getpid()) || h.name != "preflight.test" {
			t.Errorf("%s is held by %+v", l.Addr(), h)
		}
	}
}

func TestHolderInWords(t *testing.T) {
	for _, test := range []struct {
		h         holder
		says, fix string
	}{
		{holder{pid: "123", name: "kube-apiserver", unit: "kube-apiserver"}, " by kube-apiserver (process 123 of kube-apiserver.service)", "stop it: systemctl disable --now kube-apiserver"},
		{holder{unit: "nginx"}, " by nginx.service", "stop it: systemctl disable --now nginx"},
		{holder{pid: "123", name: "python3"}, " by python3 (process 123)", "stop it"},
		{holder{pid: "1", name: "systemd", systemd: true}, " by a socket unit of systemd", "stop that unit (`systemctl list-sockets` names it)"},
		{holder{}, "", "stop what listens there (`ss -ltnp` as root names it)"},
	} {
		if got := test.h.String(); got != test.says {
			t.Errorf("%+v: %q, want %q", test.h, got, test.says)
		}
		if got := test.h.fix(); got != test.fix {
			t.Errorf("%+v: %q, want %q", test.h, got, test.fix)
		}
	}
}

func TestUnitOfAControlGroup(t *testing.T) {
	for group, want := range map[string]string{
		"/system.slice/kube-apiserver.service":                            "kube-apiserver",
		"/system.slice/nginx.service/worker":                              "nginx",
		"/system.slice/system-getty.slice/getty@tty1.service":             "getty@tty1",
		"/user.slice/user-1000.slice/session-2.scope":                     "",
		"/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope": "",
		"/": "",
		"":  "",
	} {
		if got := unitOf(group); got != want {
			t.Errorf("%s is of %q, want %q", group, got, want)
		}
	}
}

// TestTheKernelTellsOfListeners needs no rights.
func TestTheKernelTellsOfListeners(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := uint16(l.Addr().(*net.TCPAddr).Port)
	messages, err := listeners(unix.AF_INET)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if binary.BigEndian.Uint16(m.Data[4:]) == want {
			return
		}
	}
	t.Errorf("port %d is not among %d listeners", want, len(messages))
}

func FuzzGroupOf(f *testing.F) {
	message := make([]byte, sizeofInetDiagMsg+12)
	binary.BigEndian.PutUint16(message[4:], 6443)
	binary.NativeEndian.PutUint16(message[sizeofInetDiagMsg:], 12)
	binary.NativeEndian.PutUint16(message[sizeofInetDiagMsg+2:], inetDiagCgroupID)
	binary.NativeEndian.PutUint64(message[sizeofInetDiagMsg+4:], 4711)
	if got := groupOf(message, 6443); got != 4711 {
		f.Errorf("the control group is %d, want 4711", got)
	}
	if got := groupOf(message, 80); got != 0 {
		f.Errorf("another port's control group is %d", got)
	}
	f.Add(message)
	f.Add(message[:sizeofInetDiagMsg+5])
	f.Fuzz(func(_ *testing.T, message []byte) { groupOf(message, 6443) })
}

// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// A time namespace does not have a wall clock of its own, and a static program loads
// no library that could have one. But it asks the kernel by a function of the vDSO,
// which the kernel maps into each process and which can be written to there.

// clockGettime is, in the place of __vdso_clock_gettime, the system call, with
// seconds added to the answer for CLOCK_REALTIME.
func clockGettime(ahead time.Duration) []byte {
	code := []byte{
		0xb8, 0xe4, 0, 0, 0, // mov eax, SYS_clock_gettime
		0x0f, 0x05, // syscall
		0x85, 0xff, // test edi, edi
		0x75, 0x07, // jnz: another clock
		0x48, 0x81, 0x06, // add qword [rsi], seconds
	}
	code = binary.LittleEndian.AppendUint32(code, uint32(int32(ahead/time.Second)))
	return append(code, 0xc3) // ret
}

// SetClock has the clock of a process go ahead, and returns what puts it right.
func SetClock(pid int, ahead time.Duration) (func() error, error) {
	if runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("the clock of a process is set on amd64 only, and this is %s", runtime.GOARCH)
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	at, err := findClockGettime(pid, memory)
	if err != nil {
		memory.Close()
		return nil, err
	}
	code := clockGettime(ahead)
	before := make([]byte, len(code))
	if _, err := memory.ReadAt(before, at); err != nil {
		memory.Close()
		return nil, err
	}
	if _, err := memory.WriteAt(code, at); err != nil {
		memory.Close()
		return nil, err
	}
	return func() error {
		defer memory.Close()
		_, err := memory.WriteAt(before, at)
		return err
	}, nil
}

// findClockGettime returns the function's address in a process.
func findClockGettime(pid int, memory *os.File) (int64, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if !strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			continue
		}
		var from, to int64
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil {
			return 0, err
		}
		image := make([]byte, to-from)
		if _, err := memory.ReadAt(image, from); err != nil {
			return 0, err
		}
		vdso, err := elf.NewFile(bytes.NewReader(image))
		if err != nil {
			return 0, err
		}
		symbols, err := vdso.DynamicSymbols()
		if err != nil {
			return 0, err
		}
		for _, s := range symbols {
			if s.Name == "__vdso_clock_gettime" {
				return from + int64(s.Value), nil
			}
		}
	}
	return 0, fmt.Errorf("process %d has no clock in a vDSO", pid)
}

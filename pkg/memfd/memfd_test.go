// SPDX-License-Identifier: Apache-2.0

package memfd

import (
	"os"
	"strings"
	"testing"
)

func TestFileIsReadAtItsPathUntilItIsClosed(t *testing.T) {
	f, err := New("ca.pem", []byte(strings.Repeat("long", 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Replace([]byte("short")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // each reader starts at the beginning
		if data, err := os.ReadFile(f.Path()); err != nil || string(data) != "short" {
			t.Errorf("got %q, %v", data, err)
		}
	}
	target, err := os.Readlink(f.Path())
	if err != nil || !strings.Contains(target, "memfd:ca.pem") {
		t.Errorf("the path leads to %s, %v", target, err)
	}
	f.Close()
	if after, err := os.Readlink(f.Path()); err == nil && after == target {
		t.Error("the file is still there")
	}
}

// TestAnExchangeIsAtOnce reads while another file comes to the path.
func TestAnExchangeIsAtOnce(t *testing.T) {
	all := []string{strings.Repeat("a", 1<<20), strings.Repeat("b", 1<<10)}
	f, err := New("config", []byte(all[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	done := make(chan error)
	go func() {
		var err error
		for i := range 200 {
			if err = f.Exchange([]byte(all[i%2])); err != nil {
				break
			}
		}
		done <- err
	}()
	for {
		data, err := os.ReadFile(f.Path())
		if err != nil || string(data) != all[0] && string(data) != all[1] {
			t.Fatalf("got %d bytes that are neither, %v", len(data), err)
		}
		select {
		case err := <-done:
			if data, _ := os.ReadFile(f.Path()); err != nil || string(data) != all[1] {
				t.Errorf("%v; at the end there are %d bytes", err, len(data))
			}
			return
		default:
		}
	}
}

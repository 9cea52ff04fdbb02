// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheOutboxKeepsTheOrder(t *testing.T) {
	o := newOutbox()
	var sent []int
	for i := range 1000 {
		o.put(func() { sent = append(sent, i) })
	}
	o.close() // waits for all
	for i, n := range sent {
		if n != i {
			t.Fatalf("number %d was sent as number %d", n, i)
		}
	}
	if len(sent) != 1000 {
		t.Errorf("%d of 1000 were sent", len(sent))
	}
}

func TestTheOutboxTakesMessagesFromAll(t *testing.T) {
	o := newOutbox()
	sent := 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 50 {
				o.put(func() { sent++ })
			}
		})
	}
	wg.Wait()
	o.close()
	if sent != 1000 {
		t.Errorf("%d of 1000 were sent", sent)
	}
}

func TestAnEndDoesNotWaitForeverForAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		stuck := make(chan struct{})
		o.put(func() { <-stuck })
		begun := time.Now()
		o.close()
		if took := time.Since(begun); took != lastMessages {
			t.Errorf("it took %s, want %s", took, lastMessages)
		}
		close(stuck)
	})
}

// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"sync"
	"time"
)

// outbox sends messages one at a time and in order, on a goroutine of its own:
// who has a message does not wait for who reads it.
type outbox struct {
	mu      sync.Mutex
	waiting []func()
	closed  bool
	change  chan struct{} // holds a value when something has changed
	done    chan struct{} // closed when the last message was sent
}

func newOutbox() *outbox {
	o := &outbox{change: make(chan struct{}, 1), done: make(chan struct{})}
	go o.run()
	return o
}

// put has send called after all that were put before it. It never blocks.
func (o *outbox) put(send func()) {
	o.mu.Lock()
	o.waiting = append(o.waiting, send)
	o.mu.Unlock()
	o.signal()
}

// lastMessages is how long an end waits for messages to be taken.
const lastMessages = 2 * time.Second

// close ends the outbox when all messages are sent, or after lastMessages when
// nobody takes them.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.signal()
	select {
	case <-o.done:
	case <-time.After(lastMessages):
	}
}

func (o *outbox) signal() {
	select {
	case o.change <- struct{}{}:
	default: // seen soon anyway
	}
}

func (o *outbox) run() {
	defer close(o.done)
	for range o.change {
		messages, closed := o.take()
		for _, send := range messages {
			send()
		}
		if closed {
			return
		}
	}
}

func (o *outbox) take() (messages []func(), closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	messages, o.waiting = o.waiting, nil
	return messages, o.closed
}

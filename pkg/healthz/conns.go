// SPDX-License-Identifier: Apache-2.0

package healthz

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// conns keeps the number of connections down. When there are too many, the one
// goes that has completed no request for the longest time: whoever sits on
// connections loses them, and a health check always gets one.
type conns struct {
	limit int

	mu    sync.Mutex
	order *list.List // of net.Conn, that to go first in front
	all   map[net.Conn]*list.Element
}

func newConns(limit int) *conns {
	return &conns{limit: limit, order: list.New(), all: map[net.Conn]*list.Element{}}
}

// track is an http.Server's ConnState.
func (c *conns) track(conn net.Conn, state http.ConnState) {
	if surplus := c.note(conn, state); surplus != nil {
		surplus.Close()
	}
}

func (c *conns) note(conn net.Conn, state http.ConnState) (surplus net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.all[conn] = c.order.PushBack(conn)
	case http.StateIdle: // has completed a request
		if e, ok := c.all[conn]; ok {
			c.order.MoveToBack(e)
		}
	case http.StateClosed, http.StateHijacked:
		c.forget(conn)
	}
	if c.order.Len() <= c.limit {
		return nil
	}
	surplus, ok := c.order.Front().Value.(net.Conn)
	if ok {
		c.forget(surplus)
	}
	return surplus
}

func (c *conns) forget(conn net.Conn) {
	if e, ok := c.all[conn]; ok {
		c.order.Remove(e)
		delete(c.all, conn)
	}
}

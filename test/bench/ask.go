// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// asking is a way of asking for health.
type asking struct {
	name string
	keep bool // the connection, for the next question
}

const (
	askers = 32        // connections at once
	most   = 2_000_000 // health checks, however fast they are answered
)

// ask asks address for health as fast as it answers, for so long, and returns how
// often it said ok and how long it took. Any other answer is an error.
func ask(address string, keep bool, d time.Duration) (int, time.Duration, error) {
	var checks atomic.Int64
	errs := make(chan error, askers)
	begun := time.Now()
	var wg sync.WaitGroup
	for range askers {
		wg.Go(func() {
			a := &asker{address: address, keep: keep}
			defer a.hangUp()
			for time.Since(begun) < d && checks.Load() < most {
				if err := a.once(); err != nil {
					errs <- err
					return
				}
				checks.Add(1)
			}
		})
	}
	wg.Wait()
	close(errs)
	return int(checks.Load()), time.Since(begun), <-errs
}

// asker asks over one connection at a time.
type asker struct {
	address string
	keep    bool
	conn    net.Conn
	r       *bufio.Reader
}

var (
	askKept = []byte("GET /healthz HTTP/1.1\r\nHost: kubernetes.default.svc.cluster.local\r\n\r\n")
	askOnce = []byte("GET /healthz HTTP/1.1\r\nHost: kubernetes.default.svc.cluster.local\r\nConnection: close\r\n\r\n")
)

func (a *asker) once() (err error) {
	question := askKept
	if !a.keep {
		question = askOnce
		defer a.hangUp()
	}
	if a.conn == nil {
		if a.conn, err = net.Dial("tcp", a.address); err != nil {
			return err
		}
		a.r = bufio.NewReader(a.conn)
	}
	if _, err := a.conn.Write(question); err != nil {
		return err
	}
	closing, err := a.readOK()
	if closing {
		a.hangUp() // nginx ends a connection after 1,000 requests
	}
	return err
}

func (a *asker) hangUp() {
	if a.conn != nil {
		a.conn.Close()
		a.conn = nil
	}
}

// readOK reads one answer without much ado: the load must not cost more than
// what is measured.
func (a *asker) readOK() (closing bool, err error) {
	status, err := a.r.ReadSlice('\n')
	if err != nil {
		return true, err
	}
	if !bytes.Contains(status, []byte(" 200 ")) {
		return true, fmt.Errorf("answered %q", bytes.TrimSpace(status))
	}
	length := -1
	for {
		line, err := a.r.ReadSlice('\n')
		if err != nil {
			return true, err
		}
		line = bytes.ToLower(bytes.TrimSpace(line))
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); string(name) {
		case "content-length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return true, err
			}
		case "connection":
			closing = string(value) == "close"
		}
	}
	if length < 0 {
		return true, errors.New("answered without a Content-Length")
	}
	_, err = a.r.Discard(length)
	return closing, err
}

// SPDX-License-Identifier: Apache-2.0

package computeapi

// Fault is something that goes wrong with a method.
type Fault struct {
	// Method is its ID, such as compute.firewalls.insert.
	Method string
	// Times is how often it goes wrong; 0 is every time.
	Times int

	// Code answers with this HTTP status, Reason and Message, before anything is
	// done.
	Code            int
	Reason, Message string
	// Hang answers nothing until the client gives up; the request has no effect.
	Hang bool
	// Lost does what was asked but breaks the connection instead of answering.
	Lost bool
	// OperationError starts the operation, but it ends with this error's code and
	// Message, and without effect.
	OperationError string
	// Stuck starts the operation, but it never ends.
	Stuck bool

	seen int
}

// Inject adds a fault.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal removes all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault returns the fault that a call of the method meets, if any.
func (s *Server) fault(id string) Fault {
	for _, f := range s.faults {
		if f.Method == id && (f.Times == 0 || f.seen < f.Times) {
			f.seen++
			return *f
		}
	}
	return Fault{}
}

package mysqltest

import (
	"net"
	"sync"
	"testing"
)

// A relay forwards connections to a server that it cannot stop, and emulates its failures.
type relay struct {
	address string
	server  string

	mu       sync.Mutex
	changed  *sync.Cond
	listener net.Listener // nil while connections are refused
	silent   bool         // accepts connections, forwards nothing
	closed   bool
	count    int
	arrived  func() // called once, before the next connection is forwarded
	pairs    map[*pair]bool
	running  sync.WaitGroup

	// lose is called for each response of the server, until it returns true: then the response and
	// its connection are lost.
	lose func() bool
}

type pair struct{ client, server *net.TCPConn }

func (p *pair) close() {
	for _, conn := range []*net.TCPConn{p.client, p.server} {
		_ = conn.SetLinger(0) // a reset, as from a host that has lost the connection's state
		_ = conn.Close()
	}
}

func startRelay(t testing.TB, server string) *relay {
	t.Helper()
	r := &relay{address: "127.0.0.1:0", server: server, pairs: map[*pair]bool{}}
	r.changed = sync.NewCond(&r.mu)
	r.mu.Lock()
	err := r.listen()
	r.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.mu.Lock()
		r.closed = true
		r.refuse()
		r.mu.Unlock()
		r.running.Wait()
	})
	return r
}

func (r *relay) listen() error {
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		return err
	}
	r.listener, r.address = listener, listener.Addr().String()
	r.running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			r.running.Go(func() { r.connect(client.(*net.TCPConn)) })
		}
	})
	return nil
}

func (r *relay) connect(client *net.TCPConn) {
	r.mu.Lock()
	r.count++
	arrived := r.arrived
	r.arrived = nil
	r.mu.Unlock()
	if arrived != nil {
		arrived()
	}
	server, err := net.Dial("tcp", r.server)
	if err != nil {
		_ = client.Close()
		return
	}
	p := &pair{client, server.(*net.TCPConn)}
	r.mu.Lock()
	if r.listener == nil {
		p.close()
		r.mu.Unlock()
		return
	}
	r.pairs[p] = true
	r.mu.Unlock()
	r.running.Go(func() { r.pass(p, p.client, p.server) })
	r.pass(p, p.server, p.client)
}

func (r *relay) pass(p *pair, from, to *net.TCPConn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		r.mu.Lock()
		for r.silent && !r.closed && r.pairs[p] {
			r.changed.Wait()
		}
		r.mu.Unlock()
		if from == p.server && r.loses() {
			break
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = p.client.Close()
	_ = p.server.Close()
	r.mu.Lock()
	delete(r.pairs, p)
	r.mu.Unlock()
}

// loses reports whether the data that the server has just sent is lost.
func (r *relay) loses() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lose == nil || !r.lose() {
		return false
	}
	r.lose = nil
	return true
}

// refuse closes the listener and all connections. The caller must hold r.mu.
func (r *relay) refuse() {
	if r.listener != nil {
		_ = r.listener.Close()
		r.listener = nil
	}
	r.cut()
}

func (r *relay) cut() {
	for p := range r.pairs {
		p.close()
		delete(r.pairs, p)
	}
	r.changed.Broadcast()
}

func (r *relay) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// Down refuses new connections and resets existing ones until [Server.Up].
func (s *Server) Down() {
	s.relay.mu.Lock()
	defer s.relay.mu.Unlock()
	s.relay.refuse()
}

// StopResponding accepts connections and forwards nothing on any until [Server.Up], as a host that
// has lost its network.
func (s *Server) StopResponding() {
	s.relay.mu.Lock()
	defer s.relay.mu.Unlock()
	s.relay.silent = true
}

// Up ends [Server.Down] and [Server.StopResponding]. It may be called on another goroutine than the
// test's.
func (s *Server) Up(t testing.TB) {
	t.Helper()
	s.relay.mu.Lock()
	defer s.relay.mu.Unlock()
	s.relay.silent = false
	s.relay.changed.Broadcast()
	if s.relay.listener == nil {
		if err := s.relay.listen(); err != nil {
			t.Error(err)
		}
	}
}

// ResetConnections resets the existing connections; new ones work.
func (s *Server) ResetConnections() {
	s.relay.mu.Lock()
	defer s.relay.mu.Unlock()
	s.relay.cut()
}

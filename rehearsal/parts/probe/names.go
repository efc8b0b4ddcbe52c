package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// names asks for A and AAAA of one name, n times, c at a time. As glibc does, both questions leave one socket
// at once: two new flows of one tuple, of which a racing connection tracking may drop one. What answers may be
// a name server or an echo: only that an answer with the question's number comes back counts. Once one is lost
// no more are asked.
func names(flags *flag.FlagSet, arguments []string) (any, error) {
	timeout := flags.Float64("timeout", 5, "seconds until a resolver gives up and asks again")
	n := flags.Int("n", 500, "lookups")
	c := flags.Int("c", 100, "at a time")
	name := flags.String("name", "kubernetes.default.svc.cluster.local", "what is asked for")
	_ = flags.Parse(arguments)
	asked, lost, slowest, first := 0, 0, 0.0, ""
	var lock sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, *c)
	for number := range *n {
		slots <- struct{}{}
		lock.Lock()
		over := lost > 0
		lock.Unlock()
		if over {
			break
		}
		asked++
		all.Add(1)
		go func() {
			defer func() { <-slots; all.Done() }()
			start := time.Now()
			err := lookup(flags.Arg(0), *name, uint16(2*number), seconds(*timeout))
			lock.Lock()
			defer lock.Unlock()
			slowest = max(slowest, ms(start))
			if err != nil {
				lost++
				first = err.Error()
			}
		}()
	}
	all.Wait()
	return map[string]any{"lookups": asked, "lost": lost, "max_ms": slowest, "error": first}, nil
}

func lookup(address, name string, id uint16, timeout time.Duration) error {
	connection, err := net.Dial("udp4", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(timeout))
	const a, aaaa = 1, 28
	missing := map[uint16]bool{id: true, id + 1: true}
	for _, message := range [][]byte{asking(id, name, a), asking(id+1, name, aaaa)} {
		if _, err := connection.Write(message); err != nil {
			return err
		}
	}
	buffer := make([]byte, 4096)
	for len(missing) > 0 {
		size, err := connection.Read(buffer)
		if err != nil {
			return err
		}
		if size < 12 {
			return errors.New("an answer is shorter than its header")
		}
		delete(missing, binary.BigEndian.Uint16(buffer))
	}
	return nil
}

// asking is one of RFC 1035 in its wire form, recursion desired.
func asking(id uint16, name string, kind uint16) []byte {
	message := binary.BigEndian.AppendUint16(nil, id)
	message = append(message, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	for _, label := range strings.Split(strings.Trim(name, "."), ".") {
		message = append(append(message, byte(len(label))), label...)
	}
	message = append(message, 0)
	message = binary.BigEndian.AppendUint16(message, kind)
	return binary.BigEndian.AppendUint16(message, 1)
}

// count shows the counters of this network namespace as the kernel prints them.
func count(flags *flag.FlagSet, arguments []string) (any, error) {
	_ = flags.Parse(arguments)
	text := ""
	for _, file := range []string{"/proc/net/snmp", "/proc/net/netstat"} {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		text += string(content)
	}
	return map[string]any{"counters": text}, nil
}

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

func newClient(timeout time.Duration) *http.Client {
	// No proxy from the environment, and a new connection each time: the path itself is in question.
	return &http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
}

func get(flags *flag.FlagSet, arguments []string) (any, error) {
	timeout := flags.Float64("timeout", 2, "seconds")
	_ = flags.Parse(arguments)
	start := time.Now()
	response, err := newClient(seconds(*timeout)).Get(flags.Arg(0))
	if err != nil {
		return map[string]any{"status": 0, "body": "", "error": err.Error(), "ms": ms(start)}, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	answer := map[string]any{"status": response.StatusCode, "body": string(body), "error": "", "ms": ms(start)}
	if err != nil {
		answer["error"] = err.Error()
	}
	return answer, nil
}

// hits asks a URL n times, c at a time, and counts which pod answered. After `stop` errors (0: never) it asks no
// more: that something is wrong is known by then, and each error takes the whole time-out.
func hits(flags *flag.FlagSet, arguments []string) (any, error) {
	timeout := flags.Float64("timeout", 2, "seconds")
	n := flags.Int("n", 40, "requests")
	c := flags.Int("c", 8, "at a time")
	stop := flags.Int("stop", 0, "errors")
	_ = flags.Parse(arguments)
	client := newClient(seconds(*timeout))
	by, asked, failures, first, clients := map[string]int{}, 0, 0, "", map[string]bool{}
	var lock sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, *c)
	for range *n {
		slots <- struct{}{}
		lock.Lock()
		over := *stop > 0 && failures >= *stop
		lock.Unlock()
		if over {
			break
		}
		asked++
		all.Add(1)
		go func() {
			defer func() { <-slots; all.Done() }()
			var who struct{ Name, Client string }
			err := ask(client, flags.Arg(0), &who)
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				failures++
				first = err.Error()
				return
			}
			by[who.Name]++
			if host, _, err := net.SplitHostPort(who.Client); err == nil {
				clients[host] = true
			}
		}()
	}
	all.Wait()
	seen := []string{}
	for address := range clients {
		seen = append(seen, address)
	}
	return map[string]any{"requests": asked, "errors": failures, "by": by, "clients": seen, "error": first}, nil
}

func ask(client *http.Client, url string, into any) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

type dialled struct {
	Address string  `json:"address"`
	OK      bool    `json:"ok"`
	MS      float64 `json:"ms"`
	Error   string  `json:"error"`
}

func each(addresses []string, try func(string) error) any {
	results := make([]dialled, len(addresses))
	var all sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, address := range addresses {
		all.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; all.Done() }()
			start := time.Now()
			err := try(address)
			results[i] = dialled{Address: address, OK: err == nil, MS: ms(start)}
			if err != nil {
				results[i].Error = err.Error()
			}
		}()
	}
	all.Wait()
	return map[string]any{"results": results}
}

func tcp(flags *flag.FlagSet, arguments []string) (any, error) {
	timeout := flags.Float64("timeout", 2, "seconds")
	_ = flags.Parse(arguments)
	return each(flags.Args(), func(address string) error {
		connection, err := net.DialTimeout("tcp", address, seconds(*timeout))
		if err == nil {
			_ = connection.Close()
		}
		return err
	}), nil
}

func udp(flags *flag.FlagSet, arguments []string) (any, error) {
	timeout := flags.Float64("timeout", 0.7, "seconds, for each of three tries")
	_ = flags.Parse(arguments)
	return each(flags.Args(), func(address string) error {
		err := errors.New("no echo")
		for range 3 { // a single lost datagram is not a broken path
			if err = echoed(address, 64, seconds(*timeout), false); err == nil {
				return nil
			}
		}
		return err
	}), nil
}

// echoed sends one datagram with this many bytes of payload and waits for its echo.
func echoed(address string, payload int, timeout time.Duration, unfragmented bool) error {
	connection, err := net.Dial("udp4", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	if unfragmented {
		raw, err := connection.(*net.UDPConn).SyscallConn()
		if err != nil {
			return err
		}
		var set error
		if err := raw.Control(func(fd uintptr) {
			set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_MTU_DISCOVER, syscall.IP_PMTUDISC_DO)
		}); err != nil || set != nil {
			return errors.Join(err, set)
		}
	}
	_ = connection.SetDeadline(time.Now().Add(timeout))
	if _, err := connection.Write(make([]byte, payload)); err != nil {
		return err
	}
	n, err := connection.Read(make([]byte, 65536))
	if err == nil && n != payload {
		return fmt.Errorf("%d bytes came back of %d", n, payload)
	}
	return err
}

// pmtu: an IP packet of SIZE bytes (28 of them headers) with "don't fragment": passed, refused, or lost.
func pmtu(flags *flag.FlagSet, arguments []string) (any, error) {
	timeout := flags.Float64("timeout", 0.7, "seconds, for each of three tries")
	size := flags.Int("size", 1450, "bytes of the IP packet")
	_ = flags.Parse(arguments)
	var err error
	for range 3 {
		err = echoed(flags.Arg(0), *size-28, seconds(*timeout), true)
		if err == nil {
			return map[string]any{"size": *size, "outcome": "passed", "error": ""}, nil
		}
		if errors.Is(err, syscall.EMSGSIZE) {
			return map[string]any{"size": *size, "outcome": "refused", "error": err.Error()}, nil
		}
	}
	return map[string]any{"size": *size, "outcome": "lost", "error": err.Error()}, nil
}

// bulk receives many bytes, each time on a new connection, until `want` different pods have sent them.
func bulk(flags *flag.FlagSet, arguments []string) (any, error) {
	timeout := flags.Float64("timeout", 10, "seconds, each time")
	size := flags.Int("bytes", 4<<20, "how many to receive each time")
	want := flags.Int("want", 1, "how many different pods shall have answered")
	most := flags.Int("most", 1, "how often at most")
	_ = flags.Parse(arguments)
	client, by := newClient(seconds(*timeout)), map[string]int{}
	got, slowest, message := int64(0), 0.0, ""
	for round := 0; round < *most && len(by) < *want && message == ""; round++ {
		start := time.Now()
		name, n, err := receive(client, fmt.Sprintf("http://%s/bulk?bytes=%d", flags.Arg(0), *size))
		if err != nil {
			message = err.Error()
		}
		if n == int64(*size) {
			by[name]++
		}
		got = n
		if rate := float64(n) * 8 / 1e6 / time.Since(start).Seconds(); slowest == 0 || rate < slowest {
			slowest = rate
		}
	}
	return map[string]any{"bytes": got, "by": by, "mbit_per_s": slowest, "error": message}, nil
}

func receive(client *http.Client, url string) (string, int64, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", 0, err
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	return response.Header.Get("Probe-Name"), n, err
}

func links(flags *flag.FlagSet, arguments []string) (any, error) {
	_ = flags.Parse(arguments)
	found, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	answer := map[string]int{}
	for _, link := range found {
		answer[link.Name] = link.MTU
	}
	return map[string]any{"mtu": answer}, nil
}

package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cpu reads the machine's CPU time. Containers see the whole machine here; boot tells machines apart.
func cpu(flags *flag.FlagSet, arguments []string) (any, error) {
	_ = flags.Parse(arguments)
	busy, err := busyMicros()
	if err != nil {
		return nil, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"busy_us": busy, "boot": strings.TrimSpace(string(boot)), "cores": runtime.NumCPU(),
		"monotonic_us": time.Since(epoch).Microseconds() + uptimeMicros(),
	}, nil
}

var epoch = time.Now()

func uptimeMicros() int64 {
	content, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	value, _ := strconv.ParseFloat(strings.Fields(string(content))[0], 64)
	return int64(value * 1e6)
}

// busyMicros: user, nice, system, irq and softirq of /proc/stat, whose unit is 10 ms.
func busyMicros() (int64, error) {
	content, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	words := strings.Fields(strings.SplitN(string(content), "\n", 2)[0])
	if len(words) < 8 || words[0] != "cpu" {
		return 0, errors.New("/proc/stat has no line for all cores")
	}
	total := int64(0)
	for _, i := range []int{1, 2, 3, 6, 7} {
		value, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil {
			return 0, err
		}
		total += value
	}
	return total * 10_000, nil
}

// load runs a closed loop: c connections, each sends its next request when the answer is there.
func load(flags *flag.FlagSet, arguments []string) (any, error) {
	c := flags.Int("c", 32, "connections")
	duration := flags.Float64("seconds", 3, "how long")
	fresh := flags.Bool("fresh", false, "a new connection for each request")
	_ = flags.Parse(arguments)
	target, err := url.Parse(flags.Arg(0))
	if err != nil || target.Host == "" {
		return nil, fmt.Errorf("not a URL: %q", flags.Arg(0))
	}
	address := target.Host
	if target.Port() == "" {
		address += ":80"
	}
	request := []byte("GET " + target.RequestURI() + " HTTP/1.1\r\nHost: " + target.Host + "\r\n\r\n")
	before, err := busyMicros()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	end := start.Add(seconds(*duration))
	results := make([]worker, *c)
	var all sync.WaitGroup
	for i := range results {
		all.Add(1)
		go func() {
			defer all.Done()
			results[i].run(address, request, end, *fresh)
		}()
	}
	all.Wait()
	took := time.Since(start).Seconds()
	after, err := busyMicros()
	if err != nil {
		return nil, err
	}
	var done []float64
	failures, first := 0, ""
	for _, result := range results {
		done = append(done, result.ms...)
		failures += result.failures
		if result.first != "" {
			first = result.first
		}
	}
	slices.Sort(done)
	return map[string]any{
		"requests": len(done), "errors": failures, "error": first, "seconds": took,
		"requests_per_s": float64(len(done)) / took, "machine_busy_us": after - before,
		"p50_ms": quantile(done, 0.50), "p99_ms": quantile(done, 0.99), "cores": runtime.NumCPU(),
	}, nil
}

type worker struct {
	ms       []float64
	failures int
	first    string
}

func (w *worker) run(address string, request []byte, end time.Time, fresh bool) {
	var connection net.Conn
	var reader *bufio.Reader
	for time.Now().Before(end) {
		start := time.Now()
		var err error
		if connection == nil {
			if connection, err = net.DialTimeout("tcp", address, 2*time.Second); err == nil {
				reader = bufio.NewReaderSize(connection, 8<<10)
			}
		}
		if err == nil {
			_ = connection.SetDeadline(start.Add(5 * time.Second))
			if _, err = connection.Write(request); err == nil {
				err = skipAnswer(reader)
			}
		}
		if err != nil {
			w.failures++
			w.first = err.Error()
			time.Sleep(5 * time.Millisecond)
		} else {
			w.ms = append(w.ms, ms(start))
		}
		if connection != nil && (err != nil || fresh) {
			_ = connection.Close()
			connection = nil
		}
	}
	if connection != nil {
		_ = connection.Close()
	}
}

// skipAnswer reads one HTTP answer with a Content-Length; parsing less costs the client less of the CPU.
func skipAnswer(reader *bufio.Reader) error {
	length, line := -1, 0
	for {
		text, err := reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line == 0 && !bytes.Contains(text, []byte(" 200 ")) {
			return fmt.Errorf("answered %q", bytes.TrimSpace(text))
		}
		line++
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			break
		}
		name, value, _ := bytes.Cut(text, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("the answer has no Content-Length")
	}
	_, err := io.CopyN(io.Discard, reader, int64(length))
	return err
}

func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

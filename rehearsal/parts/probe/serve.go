package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// serve answers HTTP (/ and /healthz: who answers; /bulk?bytes=N: that many bytes; /hang: from now on nothing,
// as a program that waits for what never comes) and echoes UDP on one port.
func serve(flags *flag.FlagSet, arguments []string) (any, error) {
	listen := flags.String("listen", ":10411", "address")
	warmUp := flags.Float64("warm-up", 0, "seconds before it listens, as a program that loads first")
	_ = flags.Parse(arguments)
	time.Sleep(seconds(*warmUp))
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	if given := os.Getenv("POD"); given != "" {
		name = given
	}
	packets, err := net.ListenPacket("udp", *listen)
	if err != nil {
		return nil, err
	}
	// Many lookups at once must not be lost here: the path is in question, not this program's queue.
	_ = packets.(*net.UDPConn).SetReadBuffer(4 << 20)
	go echo(packets)

	var hangs atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) { hangs.Store(true) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := json.Marshal(map[string]string{"name": name, "node": os.Getenv("NODE"), "client": r.RemoteAddr})
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	})
	mux.HandleFunc("/bulk", func(w http.ResponseWriter, r *http.Request) {
		left, err := strconv.Atoi(r.URL.Query().Get("bytes"))
		if err != nil || left < 0 || left > 1<<30 {
			http.Error(w, "bytes must be between 0 and 2^30", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(left))
		w.Header().Set("Probe-Name", name)
		block := make([]byte, 64<<10)
		for left > 0 {
			n, err := w.Write(block[:min(left, len(block))])
			if err != nil {
				return
			}
			left -= n
		}
	})
	answers := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hangs.Load() {
			<-r.Context().Done()
			return
		}
		mux.ServeHTTP(w, r)
	})
	server := &http.Server{Addr: *listen, Handler: answers, ReadHeaderTimeout: 10 * time.Second}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() {
		<-ended.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return nil, fmt.Errorf("serving on %s: %w", *listen, err)
	}
	return map[string]bool{"ended": true}, nil
}

func echo(packets net.PacketConn) {
	buffer := make([]byte, 65536)
	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			fmt.Fprintln(os.Stderr, "udp:", err)
			time.Sleep(time.Second)
			continue
		}
		_, _ = packets.WriteTo(buffer[:n], from)
	}
}

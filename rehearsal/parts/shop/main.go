// Command shop is the workload of the rehearsal: a small web shop whose state is in MariaDB and whose
// pictures are in a bucket. It is configured by the environment (see config.go) and ends on SIGTERM
// without dropping a request.
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(log.LstdFlags | log.Lmicroseconds | log.LUTC)
	settings, err := readSettings(os.Getenv)
	if err != nil {
		log.Print(err)
		os.Exit(2)
	}
	if err := serve(settings); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

// serve answers until SIGTERM or SIGINT: readiness fails first, so that no new connection is sent here;
// after the drain delay the listener closes and what is in flight is finished.
func serve(settings Settings) error {
	stop, ignore := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer ignore()
	store, err := openStore(settings)
	if err != nil {
		return err
	}
	defer store.Close()
	media, err := newMedia(settings)
	if err != nil {
		return err
	}
	shop := &Shop{site: settings.Site, store: store, media: media, delay: settings.Delay}
	server := &http.Server{
		Handler:           shop.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Printf("shop %s listens on %s", settings.Site, listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	shop.draining.Store(true)
	log.Printf("ending: not ready; the listener closes in %s", settings.Drain)
	time.Sleep(settings.Drain)
	deadline, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Settings is what the environment says. Every variable without a default must be set.
type Settings struct {
	Listen     string         // LISTEN, default ":8080"
	Site       string         // SITE: aws or oslo, shown in the header X-Shop-Site
	Read       string         // DB_READ: host:port of the database that pages are read from
	Primary    string         // DB_PRIMARY: host:port of the database that is written to
	Database   string         // DB_NAME
	User       string         // DB_USER
	Password   string         // the content of DB_PASSWORD_FILE
	ServerName string         // DB_SERVER_NAME: the name in the database's certificate
	Roots      *x509.CertPool // the content of DB_CA_FILE
	MediaURL   string         // MEDIA_URL: base URL of the bucket, without a trailing slash
	Drain      time.Duration  // DRAIN: between failing readiness and closing the listener, default 3s
	Delay      time.Duration  // DELAY_MS: added to every page, to rehearse a slow shop; default 0
}

func readSettings(env func(string) string) (Settings, error) {
	var missing []error
	must := func(name string) string {
		value := env(name)
		if value == "" {
			missing = append(missing, fmt.Errorf("environment variable %s is not set", name))
		}
		return value
	}
	or := func(name, value string) string {
		if given := env(name); given != "" {
			return given
		}
		return value
	}
	s := Settings{
		Listen: or("LISTEN", ":8080"), Site: must("SITE"), Read: must("DB_READ"), Primary: must("DB_PRIMARY"),
		Database: must("DB_NAME"), User: must("DB_USER"),
		ServerName: or("DB_SERVER_NAME", "database.fjordshop.example"),
		MediaURL:   strings.TrimRight(must("MEDIA_URL"), "/"),
	}
	passwordFile, caFile := must("DB_PASSWORD_FILE"), must("DB_CA_FILE")
	if len(missing) > 0 {
		return s, errors.Join(missing...)
	}
	for name, address := range map[string]string{"DB_READ": s.Read, "DB_PRIMARY": s.Primary} {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" || strings.Contains(address, "$(") {
			return s, fmt.Errorf("%s is %q: it must be host:port (is the Service there?)", name, address)
		}
	}
	password, err := os.ReadFile(passwordFile)
	if err != nil {
		return s, fmt.Errorf("DB_PASSWORD_FILE: %w", err)
	}
	s.Password = strings.TrimSpace(string(password))
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return s, fmt.Errorf("DB_CA_FILE: %w", err)
	}
	s.Roots = x509.NewCertPool()
	if !s.Roots.AppendCertsFromPEM(pem) {
		return s, fmt.Errorf("DB_CA_FILE %s holds no certificate", caFile)
	}
	if s.Drain, err = time.ParseDuration(or("DRAIN", "3s")); err != nil {
		return s, fmt.Errorf("DRAIN: %w", err)
	}
	delay, err := strconv.Atoi(or("DELAY_MS", "0"))
	if err != nil || delay < 0 {
		return s, fmt.Errorf("DELAY_MS is %q: it must be a number of milliseconds", env("DELAY_MS"))
	}
	s.Delay = time.Duration(delay) * time.Millisecond
	return s, nil
}

func (s Settings) databaseTLS() *tls.Config {
	return &tls.Config{RootCAs: s.Roots, ServerName: s.ServerName, MinVersion: tls.VersionTLS12}
}

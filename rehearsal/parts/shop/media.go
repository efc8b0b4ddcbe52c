package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	mediaObjectLimit = 2 << 20
	mediaCacheLimit  = 64 << 20
)

type picture struct {
	status      int
	contentType string
	etag        string
	body        []byte
}

// Media reads pictures from the bucket and keeps them: a key's content never changes.
type Media struct {
	base   string
	client *http.Client
	mu     sync.RWMutex
	kept   map[string]picture
	bytes  int
}

func newMedia(s Settings) (*Media, error) {
	if base, err := url.Parse(s.MediaURL); err != nil || base.Host == "" {
		return nil, fmt.Errorf("MEDIA_URL %q is not a URL", s.MediaURL)
	}
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 8,
		MaxConnsPerHost:     16,
	}
	return &Media{base: s.MediaURL, client: &http.Client{Transport: transport, Timeout: 10 * time.Second}, kept: map[string]picture{}}, nil
}

// Get returns the picture of a key; status 404 where the bucket has none.
func (m *Media) Get(ctx context.Context, key string) (picture, error) {
	m.mu.RLock()
	found, ok := m.kept[key]
	m.mu.RUnlock()
	if ok {
		return found, nil
	}
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.base+"/"+strings.Join(segments, "/"), nil)
	if err != nil {
		return picture{}, err
	}
	response, err := m.client.Do(request)
	if err != nil {
		return picture{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mediaObjectLimit+1))
	if err != nil {
		return picture{}, err
	}
	switch {
	case response.StatusCode == http.StatusNotFound:
		return picture{status: http.StatusNotFound}, nil
	case response.StatusCode != http.StatusOK:
		return picture{}, fmt.Errorf("the bucket answers %s for %s", response.Status, key)
	case len(body) > mediaObjectLimit:
		return picture{}, fmt.Errorf("%s is larger than %d bytes", key, mediaObjectLimit)
	}
	got := picture{http.StatusOK, response.Header.Get("Content-Type"), response.Header.Get("ETag"), body}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.kept[key]; !there && m.bytes+len(body) <= mediaCacheLimit {
		m.kept[key] = got
		m.bytes += len(body)
	}
	return got, nil
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"
)

// Shop answers the shop's requests.
type Shop struct {
	site     string
	store    *Store
	media    *Media
	delay    time.Duration
	draining atomic.Bool
}

// answer is a whole response; it is built before the first byte is sent, so that its headers can hold
// the time it took.
type answer struct {
	status       int
	contentType  string
	cacheControl string
	etag         string
	body         []byte
}

var identifier = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func (s *Shop) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, handle := range map[string]func(*http.Request) (answer, error){
		"GET /{$}":            s.front,
		"GET /product/{id}":   s.product,
		"GET /search":         s.search,
		"GET /cart/{session}": s.cart,
		"GET /media/{key...}": s.picture,
		"POST /cart":          s.putCart,
		"POST /checkout":      s.checkout,
		"GET /healthz":        s.healthy,
		"GET /readyz":         s.ready,
	} {
		mux.Handle(pattern, s.timed(handle))
	}
	return mux
}

func (s *Shop) timed(handle func(*http.Request) (answer, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		if s.delay > 0 && r.URL.Path != "/healthz" && r.URL.Path != "/readyz" {
			time.Sleep(s.delay)
		}
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		a, err := handle(r)
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
			}
			a = plain(http.StatusServiceUnavailable, "The shop cannot answer now. Please try again.\n")
		}
		header := w.Header()
		header.Set("Content-Type", a.contentType)
		header.Set("Content-Length", strconv.Itoa(len(a.body)))
		header.Set("X-Shop-Site", s.site)
		header.Set("Cache-Control", a.cacheControl)
		header.Set("Server-Timing", fmt.Sprintf("app;dur=%.3f", float64(time.Since(started).Microseconds())/1000))
		if a.etag != "" {
			header.Set("ETag", a.etag)
		}
		w.WriteHeader(a.status)
		if r.Method != http.MethodHead {
			w.Write(a.body) // a client that went away is no error of the shop
		}
	})
}

func plain(status int, text string) answer {
	return answer{status: status, contentType: "text/plain; charset=utf-8", cacheControl: "no-store", body: []byte(text)}
}

func page(name string, data any) (answer, error) {
	var body bytes.Buffer
	err := pages.ExecuteTemplate(&body, name, data)
	return answer{status: http.StatusOK, contentType: "text/html; charset=utf-8", cacheControl: "no-cache", body: body.Bytes()}, err
}

func (s *Shop) front(r *http.Request) (answer, error) {
	var all []Product
	err := insist(r.Context(), func(ctx context.Context) (err error) {
		all, err = products(s.store.front.QueryContext(ctx))
		return err
	})
	if err != nil {
		return answer{}, err
	}
	return page("front", all)
}

func (s *Shop) product(r *http.Request) (answer, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return plain(http.StatusNotFound, "No such product.\n"), nil
	}
	var found []Product
	err = insist(r.Context(), func(ctx context.Context) (err error) {
		found, err = products(s.store.product.QueryContext(ctx, id))
		return err
	})
	if err != nil {
		return answer{}, err
	}
	if len(found) == 0 {
		return plain(http.StatusNotFound, "No such product.\n"), nil
	}
	return page("product", found[0])
}

func (s *Shop) search(r *http.Request) (answer, error) {
	query := r.URL.Query().Get("q")
	if query == "" || len(query) > 100 {
		return plain(http.StatusBadRequest, "Search for a word: /search?q=wool\n"), nil
	}
	var all []Product
	err := insist(r.Context(), func(ctx context.Context) (err error) {
		all, err = products(s.store.search.QueryContext(ctx, likePattern(query)))
		return err
	})
	if err != nil {
		return answer{}, err
	}
	return page("search", struct {
		Query    string
		Products []Product
	}{query, all})
}

func (s *Shop) cart(r *http.Request) (answer, error) {
	session := r.PathValue("session")
	if !identifier.MatchString(session) {
		return plain(http.StatusNotFound, "No such cart.\n"), nil
	}
	lines, err := s.store.Cart(r.Context(), session)
	if err != nil {
		return answer{}, err
	}
	var sum int64
	for _, line := range lines {
		sum += line.PriceOre * line.Quantity
	}
	return page("cart", struct {
		Lines  []Line
		SumOre int64
	}{lines, sum})
}

func (s *Shop) picture(r *http.Request) (answer, error) {
	got, err := s.media.Get(r.Context(), r.PathValue("key"))
	if err != nil {
		return answer{}, err
	}
	if got.status == http.StatusNotFound {
		return plain(http.StatusNotFound, "No such picture.\n"), nil
	}
	return answer{status: got.status, contentType: got.contentType, cacheControl: "public, max-age=86400", etag: got.etag, body: got.body}, nil
}

func (s *Shop) putCart(r *http.Request) (answer, error) {
	session := r.PostFormValue("session")
	product, errProduct := strconv.ParseInt(r.PostFormValue("product"), 10, 64)
	quantity, errQuantity := strconv.ParseInt(r.PostFormValue("quantity"), 10, 64)
	if !identifier.MatchString(session) || errProduct != nil || errQuantity != nil || quantity < 1 || quantity > 99 {
		return plain(http.StatusBadRequest, "A cart needs session, product and quantity (1 to 99).\n"), nil
	}
	err := s.store.PutCart(r.Context(), session, product, quantity)
	if errors.Is(err, errUnknownProduct) {
		return plain(http.StatusNotFound, "No such product.\n"), nil
	}
	if err != nil {
		return answer{}, err
	}
	return document(http.StatusOK, map[string]any{"session": session, "product": product, "quantity": quantity})
}

func (s *Shop) checkout(r *http.Request) (answer, error) {
	session, token := r.PostFormValue("session"), r.PostFormValue("token")
	if !identifier.MatchString(session) || !identifier.MatchString(token) {
		return plain(http.StatusBadRequest, "A checkout needs session and token.\n"), nil
	}
	order, placed, err := s.store.Checkout(r.Context(), session, token, s.site)
	if errors.Is(err, errEmptyCart) {
		return plain(http.StatusConflict, "The cart is empty.\n"), nil
	}
	if err != nil {
		return answer{}, err
	}
	status := http.StatusOK
	if placed {
		status = http.StatusCreated
	}
	return document(status, struct {
		Order int64  `json:"order"`
		Token string `json:"token"`
	}{order, token})
}

func document(status int, value any) (answer, error) {
	body, err := json.Marshal(value)
	return answer{status: status, contentType: "application/json", cacheControl: "no-store", body: body}, err
}

func (s *Shop) healthy(*http.Request) (answer, error) {
	return plain(http.StatusOK, "alive\n"), nil
}

func (s *Shop) ready(r *http.Request) (answer, error) {
	if s.draining.Load() {
		return plain(http.StatusServiceUnavailable, "ending\n"), nil
	}
	limit, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.store.Ready(limit); err != nil {
		return plain(http.StatusServiceUnavailable, err.Error()+"\n"), nil
	}
	return plain(http.StatusOK, "ready\n"), nil
}

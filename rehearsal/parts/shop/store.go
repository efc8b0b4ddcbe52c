package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Product is one article of the catalogue; the price is in øre.
type Product struct {
	ID          int64
	Name        string
	Category    string
	Description string
	PriceOre    int64
	Stock       int64
	MediaKey    string
}

// Line is one line of a cart.
type Line struct {
	Product  int64
	Name     string
	PriceOre int64
	Quantity int64
}

// Store is the shop's two ways to the database: pages are read from one, carts and orders use the other.
type Store struct {
	read, primary                            *sql.DB
	front, product, search, cart             *sql.Stmt
	putCart, byToken, order, addLines, empty *sql.Stmt
}

const productColumns = "id, name, category, description, price_ore, stock, media_key"

func openStore(s Settings) (*Store, error) {
	if err := mysql.RegisterTLSConfig("shop", s.databaseTLS()); err != nil {
		return nil, err
	}
	open := func(address string) (*sql.DB, error) {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.DBName = s.User, s.Password, "tcp", address, s.Database
		c.TLSConfig, c.Timeout, c.ReadTimeout, c.WriteTimeout = "shop", 2*time.Second, 3*time.Second, 3*time.Second
		c.RejectReadOnly = true  // a server that became read-only: drop the connection, the next one finds the primary
		c.ClientFoundRows = true // a cart that already says so was found, too
		connector, err := mysql.NewConnector(c)
		if err != nil {
			return nil, err
		}
		db := sql.OpenDB(connector)
		db.SetMaxOpenConns(24)
		db.SetMaxIdleConns(24)
		db.SetConnMaxIdleTime(2 * time.Minute)
		return db, nil
	}
	store := &Store{}
	var err error
	if store.read, err = open(s.Read); err != nil {
		return nil, err
	}
	if store.primary, err = open(s.Primary); err != nil {
		return nil, err
	}
	return store, store.prepareWithin(60 * time.Second)
}

// prepareWithin waits for the databases, because a pod may start before its Service has endpoints.
func (s *Store) prepareWithin(limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		err := s.prepare()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the database did not answer within %s: %w", limit, err)
		}
		time.Sleep(250 * time.Millisecond)
	}
}

func (s *Store) prepare() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, p := range []struct {
		into **sql.Stmt
		db   *sql.DB
		text string
	}{
		{&s.front, s.read, "SELECT " + productColumns + " FROM products WHERE featured = 1 ORDER BY id LIMIT 24"},
		{&s.product, s.read, "SELECT " + productColumns + " FROM products WHERE id = ?"},
		{&s.search, s.read, "SELECT " + productColumns + " FROM products WHERE name LIKE ? ORDER BY id LIMIT 20"},
		{&s.cart, s.primary, "SELECT p.id, p.name, p.price_ore, c.quantity FROM carts c JOIN products p ON p.id = c.product_id WHERE c.session = ? ORDER BY p.id"},
		{&s.putCart, s.primary, "INSERT INTO carts (session, product_id, quantity) SELECT ?, id, ? FROM products WHERE id = ? ON DUPLICATE KEY UPDATE quantity = VALUES(quantity), touched_at = NOW(3)"},
		{&s.byToken, s.primary, "SELECT id FROM orders WHERE token = ?"},
		{&s.order, s.primary, "INSERT INTO orders (token, session, total_ore, site) SELECT ?, c.session, SUM(c.quantity * p.price_ore), ? FROM carts c JOIN products p ON p.id = c.product_id WHERE c.session = ? GROUP BY c.session"},
		{&s.addLines, s.primary, "INSERT INTO order_lines (order_id, product_id, quantity, price_ore) SELECT ?, p.id, c.quantity, p.price_ore FROM carts c JOIN products p ON p.id = c.product_id WHERE c.session = ?"},
		{&s.empty, s.primary, "DELETE FROM carts WHERE session = ?"},
	} {
		if *p.into != nil {
			continue
		}
		statement, err := p.db.PrepareContext(ctx, p.text)
		if err != nil {
			return err
		}
		*p.into = statement
	}
	return nil
}

// Close ends both pools.
func (s *Store) Close() {
	s.read.Close()
	s.primary.Close()
}

// Ready says why the shop cannot serve, or nil: both databases must answer.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fmt.Errorf("DB_READ: %w", err)
	}
	if err := s.primary.PingContext(ctx); err != nil {
		return fmt.Errorf("DB_PRIMARY: %w", err)
	}
	return nil
}

func products(rows *sql.Rows, err error) ([]Product, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Product
	for rows.Next() {
		var p Product
		if err := rows.Scan(&p.ID, &p.Name, &p.Category, &p.Description, &p.PriceOre, &p.Stock, &p.MediaKey); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// patience is how long a request waits for a database that is changing over.
const patience = 5 * time.Second

// insist runs a query or an idempotent transaction again until it succeeds, fails for a reason of its own,
// or the patience is at its end.
func insist(ctx context.Context, work func(context.Context) error) error {
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		err := work(limit)
		if err == nil || !passing(err) {
			return err
		}
		select {
		case <-limit.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// passing tells an error that a primary switch explains from one that would come again. With
// RejectReadOnly the driver turns 1290, 1792 and 1836 into a bad connection.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var refused *mysql.MySQLError
	if errors.As(err, &refused) {
		switch refused.Number {
		// shutdown, too many connections, aborted, lock wait, deadlock, read-only (three), killed (two)
		case 1053, 1040, 1152, 1205, 1213, 1290, 1792, 1836, 1317, 1927:
			return true
		}
		return false
	}
	return !errors.Is(err, sql.ErrNoRows) && !errors.Is(err, errEmptyCart) && !errors.Is(err, errUnknownProduct)
}

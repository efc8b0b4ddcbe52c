package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/go-sql-driver/mysql"
)

var (
	errEmptyCart      = errors.New("the cart is empty")
	errUnknownProduct = errors.New("no such product")
)

// PutCart sets the quantity of a product in a session's cart; asking twice is asking once.
func (s *Store) PutCart(ctx context.Context, session string, product, quantity int64) error {
	return insist(ctx, func(ctx context.Context) error {
		result, err := s.putCart.ExecContext(ctx, session, quantity, product)
		if err != nil {
			return err
		}
		if changed, err := result.RowsAffected(); err == nil && changed == 0 {
			return errUnknownProduct
		}
		return nil
	})
}

// Cart returns a session's lines in the order of the products.
func (s *Store) Cart(ctx context.Context, session string) (lines []Line, err error) {
	err = insist(ctx, func(ctx context.Context) error {
		rows, err := s.cart.QueryContext(ctx, session)
		if err != nil {
			return err
		}
		defer rows.Close()
		lines = nil
		for rows.Next() {
			var line Line
			if err := rows.Scan(&line.Product, &line.Name, &line.PriceOre, &line.Quantity); err != nil {
				return err
			}
			lines = append(lines, line)
		}
		return rows.Err()
	})
	return lines, err
}

// Checkout turns a session's cart into one order. The token is the client's: the same token is the same
// order, however often it is sent, so the shop may send it again itself when the primary changes.
// `placed` is false where the order stood already.
func (s *Store) Checkout(ctx context.Context, session, token, site string) (order int64, placed bool, err error) {
	err = insist(ctx, func(ctx context.Context) error {
		order, placed, err = s.checkoutOnce(ctx, session, token, site)
		return err
	})
	return order, placed, err
}

func (s *Store) checkoutOnce(ctx context.Context, session, token, site string) (int64, bool, error) {
	tx, err := s.primary.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return 0, false, err
	}
	defer tx.Rollback() // after a commit it does nothing
	result, err := tx.StmtContext(ctx, s.order).ExecContext(ctx, token, site, session)
	var refused *mysql.MySQLError
	if errors.As(err, &refused) && refused.Number == 1062 {
		tx.Rollback()
		return s.standing(ctx, token)
	}
	if err != nil {
		return 0, false, err
	}
	if count, err := result.RowsAffected(); err != nil || count == 0 {
		tx.Rollback()
		if err != nil {
			return 0, false, err
		}
		return s.standing(ctx, token) // an order empties the cart: a repeated checkout finds it so
	}
	order, err := result.LastInsertId()
	if err != nil {
		return 0, false, err
	}
	if _, err := tx.StmtContext(ctx, s.addLines).ExecContext(ctx, order, session); err != nil {
		return 0, false, err
	}
	if _, err := tx.StmtContext(ctx, s.empty).ExecContext(ctx, session); err != nil {
		return 0, false, err
	}
	if err := tx.Commit(); err != nil {
		return 0, false, err // unknown whether it stands: the next attempt finds out by the token
	}
	return order, true, nil
}

func (s *Store) standing(ctx context.Context, token string) (int64, bool, error) {
	var order int64
	err := s.byToken.QueryRowContext(ctx, token).Scan(&order)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, errEmptyCart
	}
	return order, false, err
}

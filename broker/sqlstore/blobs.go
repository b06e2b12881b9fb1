package sqlstore

import (
	"context"
	"database/sql"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/broker"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Claim implements broker.Claims.
func (s *Store) Claim(ctx context.Context, did string, until, quota int64, blobs []blob.Info) error {
	return wrap("claim", s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		var more int64
		for _, b := range blobs {
			hash := blob.FormatHash(b.Hash)
			var size, before int64
			err := tx.QueryRow(`SELECT size, until FROM blob_claims WHERE did = $1 AND hash = $2`, did, hash).Scan(&size, &before)
			switch {
			case sqlkit.IsNoRows(err):
				more += broker.Charge(b.Size)
				_, err = tx.Exec(`INSERT INTO blob_claims (did, hash, size, until) VALUES ($1, $2, $3, $4)`, did, hash, b.Size, until)
			case err == nil && before < until:
				_, err = tx.Exec(`UPDATE blob_claims SET until = $3 WHERE did = $1 AND hash = $2`, did, hash, until)
			}
			if err != nil {
				return err
			}
		}
		if more == 0 {
			return nil
		}
		var used int64
		if err := tx.QueryRow(`SELECT bytes FROM blob_usage WHERE did = $1`, did).Scan(&used); err != nil && !sqlkit.IsNoRows(err) {
			return err
		}
		if more > quota-used {
			return broker.ErrBlobQuota
		}
		_, err := tx.Exec(`INSERT INTO blob_usage (did, bytes) VALUES ($1, $2) ON CONFLICT (did) DO UPDATE SET bytes = blob_usage.bytes + excluded.bytes`, did, more)
		return err
	}))
}

// Claimed implements broker.Claims.
func (s *Store) Claimed(ctx context.Context, hashes []blob.Hash) ([]int64, error) {
	until := make([]int64, len(hashes))
	for i, h := range hashes {
		err := s.db.QueryRow(ctx, `SELECT COALESCE(MAX(until), 0) FROM blob_claims WHERE hash = $1`, blob.FormatHash(h)).Scan(&until[i])
		if err != nil {
			return nil, wrap("claims", err)
		}
	}
	return until, nil
}

// BlobUsage implements broker.Claims.
func (s *Store) BlobUsage(ctx context.Context, did string, except blob.Hash) (int64, error) {
	var used, size int64
	err := s.db.QueryRow(ctx, `SELECT bytes FROM blob_usage WHERE did = $1`, did).Scan(&used)
	if sqlkit.IsNoRows(err) {
		return 0, nil
	} else if err != nil {
		return 0, wrap("blob usage", err)
	}
	err = s.db.QueryRow(ctx, `SELECT size FROM blob_claims WHERE did = $1 AND hash = $2`, did, blob.FormatHash(except)).Scan(&size)
	switch {
	case sqlkit.IsNoRows(err):
		return used, nil
	case err != nil:
		return 0, wrap("blob usage", err)
	}
	return used - broker.Charge(size), nil
}

// ExpireClaims implements broker.Claims.
func (s *Store) ExpireClaims(ctx context.Context, now int64, limit int) (removed int, unclaimed []blob.Hash, err error) {
	type ended struct {
		did, hash string
		size      int64
	}
	rows, err := s.db.Query(ctx, `SELECT did, hash, size FROM blob_claims WHERE until < $1 ORDER BY until LIMIT $2`, now, limit)
	all, err := collect(rows, err, func(r *sql.Rows) (ended, error) {
		var e ended
		err := r.Scan(&e.did, &e.hash, &e.size)
		return e, err
	})
	if err != nil || len(all) == 0 {
		return 0, nil, err
	}
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		unclaimed = unclaimed[:0] // a group may run this twice
		var gone []string
		for _, e := range all {
			// It may have been claimed for longer meanwhile.
			res, err := tx.Exec(`DELETE FROM blob_claims WHERE did = $1 AND hash = $2 AND until < $3`, e.did, e.hash, now)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil {
				return err
			} else if n == 0 {
				continue
			}
			if _, err := tx.Exec(`UPDATE blob_usage SET bytes = bytes - $2 WHERE did = $1`, e.did, broker.Charge(e.size)); err != nil {
				return err
			}
			gone = append(gone, e.hash)
		}
		for _, hash := range gone {
			var n int
			if err := tx.QueryRow(`SELECT COUNT(*) FROM blob_claims WHERE hash = $1`, hash).Scan(&n); err != nil {
				return err
			}
			h, err := blob.ParseHash(hash)
			if err != nil {
				return err
			}
			if n == 0 {
				unclaimed = append(unclaimed, h)
			}
		}
		return nil
	})
	if err != nil {
		return 0, nil, wrap("expired claims", err)
	}
	return len(all), unclaimed, nil
}

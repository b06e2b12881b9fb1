package sqlkit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
)

// endless yields rows for ever, slowly enough to be cancelled in the middle.
const endless = `WITH RECURSIVE c (x) AS (SELECT n FROM b UNION ALL SELECT x + 1 FROM c) SELECT x FROM c`

// TestACancelledReadLeavesNothingOpen breaks reads off at every point, on the
// one connection of the pool. Were a read transaction left open, the next
// reader would see the database as it was then.
func TestACancelledReadLeavesNothingOpen(t *testing.T) {
	db, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "a.db"), schema, Options{Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	committed := 0
	commit := func() {
		t.Helper()
		committed++
		if err := db.Write(t.Context(), func(tx *Tx) error {
			_, err := tx.Exec(`INSERT INTO b (n) VALUES ($1)`, committed)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	breaks := map[string]func(ctx context.Context, cancel func()) error{
		"before": func(ctx context.Context, cancel func()) error {
			cancel()
			_, err := db.Query(ctx, endless)
			return err
		},
		"between rows": func(ctx context.Context, cancel func()) error {
			rows, err := db.Query(ctx, endless)
			if err != nil {
				return err
			}
			for n := 0; rows.Next(); n++ {
				if n == 3 {
					cancel() // and nobody closes them but the library
				}
			}
			return rows.Err()
		},
		"after the first row, and left": func(ctx context.Context, cancel func()) error {
			rows, err := db.Query(ctx, endless)
			if err != nil {
				return err
			}
			rows.Next()
			cancel()
			return context.Canceled
		},
		"in the middle of a step": func(ctx context.Context, cancel func()) error {
			go cancel()
			var n int
			return db.QueryRow(ctx, `WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT COUNT(*) FROM c`).Scan(&n)
		},
		"while it waits for the connection": func(ctx context.Context, cancel func()) error {
			rows, err := db.Query(t.Context(), endless)
			if err != nil {
				return err
			}
			defer rows.Close()
			rows.Next()
			cancel()
			var n int
			return db.QueryRow(ctx, `SELECT COUNT(*) FROM b`).Scan(&n)
		},
	}
	commit()
	for range 30 {
		for name, broken := range breaks {
			ctx, cancel := context.WithCancel(t.Context())
			if err := broken(ctx, cancel); !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: %v", name, err)
			}
			cancel()
			commit()
			var n int
			if err := db.QueryRow(t.Context(), `SELECT MAX(n) FROM b`).Scan(&n); err != nil || n != committed {
				t.Fatalf("after a read that broke off %s: %d, %v; %d were committed", name, n, err, committed)
			}
			// A transaction left open would keep the log from being emptied.
			var busy, left, moved int
			if err := db.conn.QueryRowContext(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &left, &moved); err != nil || busy != 0 || left != 0 {
				t.Fatalf("after a read that broke off %s a reader holds the log: %d, %d, %v", name, busy, left, err)
			}
		}
	}
}

// TestAGroupOfWhichOneBreaksOff puts members that break off in every way beside
// members that do not, in one transaction: each is told what became of its own
// part, and the writer goes on.
func TestAGroupOfWhichOneBreaksOff(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a.db"))
	boom := errors.New("boom")
	insert := func(n int) func(*Tx) error {
		return func(tx *Tx) error {
			_, err := tx.Exec(`INSERT INTO b (n) VALUES ($1)`, n)
			return err
		}
	}
	breaks := map[string]struct {
		whole bool // takes the others of the group with it
		fn    func(tx *Tx) error
	}{
		"fails":       {false, func(*Tx) error { return boom }},
		"panics":      {false, func(*Tx) error { panic("odd") }},
		"a bad query": {false, func(tx *Tx) error { _, err := tx.Exec(`INSERT INTO nowhere VALUES (1)`); return err }},
		"a known key": {false, func(tx *Tx) error { _, err := tx.Exec(`INSERT INTO b (n) VALUES (0)`); return err }},
		"rows are left": {false, func(tx *Tx) error {
			rows, err := tx.Query(`SELECT n FROM b ORDER BY n`)
			if err != nil {
				return err
			}
			rows.Next()
			panic("in the middle")
		}},
		"undone by the database": {true, func(tx *Tx) error {
			_, err := tx.Exec(`INSERT OR ROLLBACK INTO b (n) VALUES (0)`) // as a full disk does
			return err
		}},
	}
	if err := db.Write(t.Context(), insert(0)); err != nil {
		t.Fatal(err)
	}
	next := 0
	for name, b := range breaks {
		for size := 1; size <= 4; size++ {
			for at := range size {
				t.Run(fmt.Sprintf("%s, %d of %d", name, at, size), func(t *testing.T) {
					want := map[int]bool{0: true}
					group := make([]*job, size)
					for i := range group {
						next++
						group[i] = &job{ctx: t.Context(), fn: insert(next)}
						if i == at {
							mine := insert(next)
							group[i].fn = func(tx *Tx) error {
								if err := mine(tx); err != nil {
									return err
								}
								return b.fn(tx)
							}
						}
						want[next] = i != at && !b.whole
					}
					// In the writer's stead: it is idle, and groups form by chance.
					db.commit(group)
					for i, j := range group {
						if ok := i != at && !b.whole; ok != (j.err == nil) {
							t.Errorf("member %d: %v", i, j.err)
						}
					}
					next++
					if err := db.Write(t.Context(), insert(next)); err != nil {
						t.Fatalf("the next write: %v", err)
					}
					want[next] = true
					for n, there := range want {
						var is bool
						if err := db.QueryRow(t.Context(), `SELECT COUNT(*) > 0 FROM b WHERE n = $1`, n).Scan(&is); err != nil || is != there {
							t.Errorf("row %d: %v, %v; expected %v", n, is, err, there)
						}
					}
				})
			}
		}
	}
}

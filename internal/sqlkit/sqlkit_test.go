package sqlkit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
)

var schema = fstest.MapFS{
	"0001_a.sql": {Data: []byte(`CREATE TABLE a (id {{serial}}, k TEXT UNIQUE, v {{blob}}); CREATE INDEX a_k ON a (k);`)},
	"0002_b.sql": {Data: []byte(`CREATE TABLE b (n BIGINT PRIMARY KEY);`)},
}

func open(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(context.Background(), "sqlite:"+path, schema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestGroupKeepsOthersWhenOneFails(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "x", "a.db")
	db := open(t, path)
	boom := errors.New("boom")
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			err := db.Write(ctx, func(tx *Tx) error {
				if _, err := tx.Exec(`INSERT INTO a (k, v) VALUES ($1, $2)`, fmt.Sprint(i), []byte{1}); err != nil {
					return err
				}
				switch i % 10 {
				case 3:
					return boom
				case 4:
					panic("odd")
				}
				return nil
			})
			if (i%10 == 3 || i%10 == 4) != (err != nil) {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	var n int
	if err := db.QueryRow(ctx, `SELECT COUNT(*) FROM a`).Scan(&n); err != nil || n != 160 {
		t.Fatalf("rows = %d, %v; want 160", n, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(ctx, func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Fatalf("write after close: %v", err)
	}
	db = open(t, path) // migrations run once
	if err := db.QueryRow(ctx, `SELECT COUNT(*) FROM a WHERE k = $1`, "7").Scan(&n); err != nil || n != 1 {
		t.Fatalf("after reopening: %d, %v", n, err)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a.db"))
	rows, err := db.Query(context.Background(), `INSERT INTO b (n) VALUES (1) RETURNING n`)
	if err == nil {
		rows.Next()
		err = rows.Err()
		rows.Close()
	}
	if err == nil {
		t.Fatal("a read connection wrote")
	}
}

func TestUnknownDatabase(t *testing.T) {
	if _, err := Open(context.Background(), "oracle:x", schema, Options{}); err == nil {
		t.Fatal("opened an unknown database")
	}
}

func BenchmarkWrite32(b *testing.B) {
	db := open(b, filepath.Join(b.TempDir(), "a.db"))
	v := make([]byte, 1400)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := db.Write(context.Background(), func(tx *Tx) error {
				_, err := tx.Exec(`INSERT INTO a (v) VALUES ($1)`, v)
				return err
			}); err != nil {
				b.Error(err)
			}
		}
	})
}

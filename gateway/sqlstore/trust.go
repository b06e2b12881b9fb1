package sqlstore

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/identity"
	"github.com/digital-spine/spine/gateway/trust"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// Trust returns the SQL behind gateway/trust.
func (s *Store) Trust() trust.Store { return (*trustStore)(s) }

type trustStore Store

// Instance implements trust.Store.
func (s *trustStore) Instance(ctx context.Context, did string, inst uint64) (trust.Known, error) {
	var k trust.Known
	var named []byte
	err := s.db.QueryRow(ctx, `SELECT floor, gen, certificate, package, named, known FROM trust_instance WHERE did = $1 AND inst = $2`,
		did, int64(inst)).Scan(&k.Floor, &k.Gen, &k.Certificate, &k.Package, &named, &k.Kept)
	if sqlkit.IsNoRows(err) {
		return trust.Known{}, nil
	}
	if err != nil {
		return trust.Known{}, fmt.Errorf("read instance: %w", err)
	}
	copy(k.Named[:], named)
	return k, nil
}

// trimOneIn is how many newcomers pass between two counts of the strangers, on
// average: counting costs as much as there are. Chance, so that nobody can
// choose names that are never counted.
const trimOneIn = 64

// touch makes the row of an instance when it is new, and drops the strangers
// seen longest ago when there are too many.
func touch(tx *sqlkit.Tx, did string, inst uint64, now int64) error {
	res, err := tx.Exec(`INSERT INTO trust_instance (did, inst, seen) VALUES ($1, $2, $3) ON CONFLICT (did, inst) DO NOTHING`, did, int64(inst), now)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 || rand.IntN(trimOneIn) != 0 {
		return err
	}
	var strangers int
	if err := tx.QueryRow(`SELECT COUNT(*) FROM trust_instance WHERE known = 0`).Scan(&strangers); err != nil {
		return err
	}
	if strangers <= trust.MaxStrangers {
		return nil
	}
	// A tenth at once, so that a flood of strangers does not pay for this each time.
	_, err = tx.Exec(`DELETE FROM trust_instance WHERE known = 0 AND (did, inst) IN
		(SELECT did, inst FROM trust_instance WHERE known = 0 ORDER BY seen, did, inst LIMIT $1)`, trust.MaxStrangers/10)
	return err
}

// RaiseFloor implements trust.Store.
func (s *trustStore) RaiseFloor(ctx context.Context, did string, inst uint64, floor uint64, now int64) (raised bool, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := touch(tx, did, inst, now); err != nil {
			return err
		}
		res, err := tx.Exec(`UPDATE trust_instance SET floor = $1, seen = $2 WHERE did = $3 AND inst = $4 AND floor < $1`, int64(floor), now, did, int64(inst))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		raised = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("raise floor: %w", err)
	}
	return raised, nil
}

// RaisePackage implements trust.Store.
func (s *trustStore) RaisePackage(ctx context.Context, did string, inst uint64, gen uint64, certificate, pkg []byte, now int64) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := touch(tx, did, inst, now); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE trust_instance SET gen = $1, certificate = $2, package = $3, seen = $4 WHERE did = $5 AND inst = $6 AND gen < $1`,
			int64(gen), certificate, pkg, now, did, int64(inst))
		return err
	})
	if err != nil {
		return fmt.Errorf("raise package: %w", err)
	}
	return nil
}

// Name implements trust.Store.
func (s *trustStore) Name(ctx context.Context, did string, inst uint64, pkg envelope.Digest, now int64) error {
	var named []byte
	if !pkg.IsZero() {
		named = pkg[:]
	}
	return s.change(ctx, "name package", did, inst, now, `UPDATE trust_instance SET named = $1, seen = $2 WHERE did = $3 AND inst = $4`, named, now, did, int64(inst))
}

// Keep implements trust.Store.
func (s *trustStore) Keep(ctx context.Context, did string, inst uint64, now int64) error {
	return s.change(ctx, "keep instance", did, inst, now, `UPDATE trust_instance SET known = 1 WHERE did = $1 AND inst = $2`, did, int64(inst))
}

func (s *trustStore) change(ctx context.Context, what, did string, inst uint64, now int64, query string, args ...any) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		if err := touch(tx, did, inst, now); err != nil {
			return err
		}
		_, err := tx.Exec(query, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Records implements trust.Store.
func (s *trustStore) Records(ctx context.Context, name, version string) ([]trust.Record, error) {
	rows, err := s.db.Query(ctx, `SELECT revision, rec, raw FROM trust_topic WHERE name = $1 AND version = $2 ORDER BY revision DESC`, name, version)
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	defer rows.Close()
	var list []trust.Record
	for rows.Next() {
		var r trust.Record
		var rec []byte
		if err := rows.Scan(&r.Revision, &rec, &r.Raw); err != nil {
			return nil, fmt.Errorf("read records: %w", err)
		}
		copy(r.Digest[:], rec)
		list = append(list, r)
	}
	return list, rows.Err()
}

// PutRecord implements trust.Store.
func (s *trustStore) PutRecord(ctx context.Context, name, version string, r trust.Record) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`INSERT INTO trust_topic (name, version, revision, rec, raw) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name, version, revision) DO NOTHING`,
			name, version, int64(r.Revision), r.Digest[:], r.Raw)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep record: %w", err)
	}
	return nil
}

// RaiseRevision implements trust.Store.
func (s *trustStore) RaiseRevision(ctx context.Context, list string, revision uint64, digest [32]byte, now int64) (known uint64, bytes [32]byte, seen bool, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		var old []byte
		err := tx.QueryRow(`SELECT revision, digest FROM trust_status WHERE list = $1`, list).Scan(&known, &old)
		switch {
		case sqlkit.IsNoRows(err):
			known = 0
			if _, err := tx.Exec(`INSERT INTO trust_status (list, revision, digest, seen) VALUES ($1, $2, $3, $4)`, list, int64(revision), digest[:], now); err != nil {
				return err
			}
			return trimLists(tx)
		case err != nil:
			return err
		}
		seen = true
		copy(bytes[:], old)
		_, err = tx.Exec(`UPDATE trust_status SET revision = $1, digest = $2, seen = $3 WHERE list = $4 AND revision < $1`, int64(revision), digest[:], now, list)
		return err
	})
	if err != nil {
		return 0, bytes, false, fmt.Errorf("raise revision: %w", err)
	}
	return known, bytes, seen, nil
}

func trimLists(tx *sqlkit.Tx) error {
	var n int
	if err := tx.QueryRow(`SELECT COUNT(*) FROM trust_status`).Scan(&n); err != nil || n <= trust.MaxLists {
		return err
	}
	_, err := tx.Exec(`DELETE FROM trust_status WHERE list IN (SELECT list FROM trust_status ORDER BY seen, list LIMIT $1)`, trust.MaxLists/10)
	return err
}

// Identity returns the SQL behind gateway/identity.
func (s *Store) Identity() identity.Store { return (*identityStore)(s) }

type identityStore Store

// Certificates implements identity.Store.
func (s *identityStore) Certificates(ctx context.Context) ([]identity.Certificate, error) {
	rows, err := s.db.Query(ctx, `SELECT digest, raw, key_name, nbf, naf, floor, published, destroyed FROM own_certificate ORDER BY nbf, digest`)
	if err != nil {
		return nil, fmt.Errorf("read own certificates: %w", err)
	}
	defer rows.Close()
	var list []identity.Certificate
	for rows.Next() {
		var c identity.Certificate
		var digest []byte
		if err := rows.Scan(&digest, &c.Raw, &c.Key, &c.NotBefore, &c.NotAfter, &c.Floor, &c.Published, &c.Destroyed); err != nil {
			return nil, fmt.Errorf("read own certificates: %w", err)
		}
		copy(c.Digest[:], digest)
		list = append(list, c)
	}
	return list, rows.Err()
}

// PutCertificate implements identity.Store.
func (s *identityStore) PutCertificate(ctx context.Context, c identity.Certificate) error {
	return s.write(ctx, "keep own certificate", `INSERT INTO own_certificate (digest, raw, key_name, nbf, naf, floor, published, destroyed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (digest) DO UPDATE SET published = excluded.published, destroyed = excluded.destroyed`,
		c.Digest[:], c.Raw, c.Key, c.NotBefore, c.NotAfter, int64(c.Floor), bit(c.Published), bit(c.Destroyed))
}

// DropCertificate implements identity.Store.
func (s *identityStore) DropCertificate(ctx context.Context, digest envelope.Digest) error {
	return s.write(ctx, "drop own certificate", `DELETE FROM own_certificate WHERE digest = $1`, digest[:])
}

// Packages implements identity.Store.
func (s *identityStore) Packages(ctx context.Context) ([]identity.Package, error) {
	rows, err := s.db.Query(ctx, `SELECT digest, raw, certificate, key_name, gen, nbf, naf, published, superseded, destroyed FROM own_package ORDER BY gen, digest`)
	if err != nil {
		return nil, fmt.Errorf("read own packages: %w", err)
	}
	defer rows.Close()
	var list []identity.Package
	for rows.Next() {
		var p identity.Package
		var digest, cert []byte
		if err := rows.Scan(&digest, &p.Raw, &cert, &p.Key, &p.Gen, &p.NotBefore, &p.NotAfter, &p.Published, &p.Superseded, &p.Destroyed); err != nil {
			return nil, fmt.Errorf("read own packages: %w", err)
		}
		copy(p.Digest[:], digest)
		copy(p.Certificate[:], cert)
		list = append(list, p)
	}
	return list, rows.Err()
}

// PutPackage implements identity.Store.
func (s *identityStore) PutPackage(ctx context.Context, p identity.Package) error {
	return s.write(ctx, "keep own package", `INSERT INTO own_package (digest, raw, certificate, key_name, gen, nbf, naf, published, superseded, destroyed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (digest) DO UPDATE SET published = excluded.published, superseded = excluded.superseded, destroyed = excluded.destroyed`,
		p.Digest[:], p.Raw, p.Certificate[:], p.Key, int64(p.Gen), p.NotBefore, p.NotAfter, bit(p.Published), p.Superseded, bit(p.Destroyed))
}

// DropPackage implements identity.Store.
func (s *identityStore) DropPackage(ctx context.Context, digest envelope.Digest) error {
	return s.write(ctx, "drop own package", `DELETE FROM own_package WHERE digest = $1`, digest[:])
}

func (s *identityStore) write(ctx context.Context, what, query string, args ...any) error {
	err := s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// bit writes a bool where the column is BIGINT on every database.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"

	"github.com/digital-spine/spine/hub"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// PutCredential implements hub.Store.
func (s *Store) PutCredential(ctx context.Context, c *hub.Credential, events []hub.Event) (added bool, err error) {
	digest := hex.EncodeToString(c.Digest[:])
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		added = false
		var known, pair, all int64
		if err := tx.QueryRow(`SELECT (SELECT COUNT(*) FROM credentials WHERE digest = $1),
			(SELECT COUNT(*) FROM credentials WHERE issuer = $2 AND subject = $3),
			(SELECT COUNT(*) FROM credentials WHERE issuer = $2)`, digest, c.Issuer, c.Subject).Scan(&known, &pair, &all); err != nil {
			return err
		}
		var list string
		if err := tx.QueryRow(`SELECT digest FROM status_lists WHERE id = $1`, c.StatusList).Scan(&list); err != nil && !sqlkit.IsNoRows(err) {
			return err
		}
		looked := ""
		if c.ListDigest != [32]byte{} {
			looked = hex.EncodeToString(c.ListDigest[:])
		}
		switch {
		case known > 0:
			return nil
		case list != looked:
			return hub.ErrListChanged
		case pair >= hub.MaxCredentialsOfPair:
			return hub.ErrQuota.WithHint(fmt.Sprintf("one issuer has at most %d credentials for one subject here", hub.MaxCredentialsOfPair))
		case all >= hub.MaxCredentialsOfIssuer:
			return hub.ErrQuota.WithHint(fmt.Sprintf("one issuer has at most %d credentials here", hub.MaxCredentialsOfIssuer))
		}
		if _, err := tx.Exec(`INSERT INTO credentials (digest, raw, subject, role, issuer, valid_from, valid_until, list, list_index, revoked, stored)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, digest, c.Raw, c.Subject, c.Role, c.Issuer, c.ValidFrom, c.ValidUntil,
			c.StatusList, c.StatusIndex, c.Revoked, c.Stored); err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE enrolments SET status = 'issued', digest = $1, decided = $2 WHERE subject = $3 AND role = $4 AND status = 'requested'`,
			digest, c.Stored, c.Subject, c.Role); err != nil {
			return err
		}
		added = true
		return appendEvents(tx, events)
	})
	return added && err == nil, err
}

// Credential implements hub.Store.
func (s *Store) Credential(ctx context.Context, digest [32]byte) ([]byte, error) {
	var raw []byte
	err := s.db.QueryRow(ctx, `SELECT raw FROM credentials WHERE digest = $1`, hex.EncodeToString(digest[:])).Scan(&raw)
	if sqlkit.IsNoRows(err) {
		return nil, hub.ErrCredentialUnknown
	}
	return raw, err
}

const credentialColumns = `SELECT digest, subject, role, issuer, valid_from, valid_until, list, list_index, revoked, stored FROM credentials `

// Each way to select has its own statement, so that each uses its index.
const (
	validOnly   = ` AND ($1 = 0 OR (revoked = 0 AND (valid_until = 0 OR valid_until > $1)))`
	page        = ` AND (subject > $2 OR (subject = $2 AND digest > $3)) ORDER BY subject, digest LIMIT $4`
	bySubject   = credentialColumns + `WHERE subject = $5 AND ($6 = '' OR role = $6) AND ($7 = '' OR issuer = $7)` + validOnly + page
	byRole      = credentialColumns + `WHERE role = $6 AND $5 = '' AND ($7 = '' OR issuer = $7)` + validOnly + page
	byIssuer    = credentialColumns + `WHERE issuer = $7 AND $5 = '' AND $6 = ''` + validOnly + page
	everything  = credentialColumns + `WHERE $5 = '' AND $6 = '' AND $7 = ''` + validOnly + page
	ofBit       = credentialColumns + `WHERE list = $1 AND list_index = $2 AND revoked = 0`
	ofList      = credentialColumns + `WHERE list = $1 AND revoked = 0`
	emptyDigest = ""
)

// Credentials implements hub.Store.
func (s *Store) Credentials(ctx context.Context, sel hub.Selection) ([]hub.Credential, error) {
	query := everything
	switch {
	case sel.Subject != "":
		query = bySubject
	case sel.Role != "":
		query = byRole
	case sel.Issuer != "":
		query = byIssuer
	}
	after := emptyDigest
	if sel.AfterSubject != "" {
		after = hex.EncodeToString(sel.AfterDigest[:])
	}
	rows, err := s.db.Query(ctx, query, sel.ValidAt, sel.AfterSubject, after, sel.Limit, sel.Subject, sel.Role, sel.Issuer)
	return collect(rows, err, scanCredential)
}

func scanCredential(r *sql.Rows, c *hub.Credential) error {
	var digest string
	if err := r.Scan(&digest, &c.Subject, &c.Role, &c.Issuer, &c.ValidFrom, &c.ValidUntil, &c.StatusList, &c.StatusIndex, &c.Revoked, &c.Stored); err != nil {
		return err
	}
	_, err := hex.Decode(c.Digest[:], []byte(digest))
	return err
}

// DropCredential implements hub.Store.
func (s *Store) DropCredential(ctx context.Context, digest [32]byte) error {
	return s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		_, err := tx.Exec(`DELETE FROM credentials WHERE digest = $1`, hex.EncodeToString(digest[:]))
		return err
	})
}

// StatusList implements hub.Store.
func (s *Store) StatusList(ctx context.Context, id string) (*hub.StatusList, error) {
	l := hub.StatusList{ID: id}
	var digest string
	err := s.db.QueryRow(ctx, `SELECT issuer, list, digest, freshness, certificate, revision, at, naf FROM status_lists WHERE id = $1`, id).
		Scan(&l.Issuer, &l.List, &digest, &l.Freshness, &l.Certificate, &l.Revision, &l.At, &l.NotAfter)
	if sqlkit.IsNoRows(err) {
		return nil, hub.ErrListUnknown
	}
	if err != nil {
		return nil, err
	}
	_, err = hex.Decode(l.Digest[:], []byte(digest))
	return &l, err
}

// PutStatusList implements hub.Store.
func (s *Store) PutStatusList(ctx context.Context, l, was *hub.StatusList, revoked hub.Revoked, at int64, events []hub.Event) (done bool, err error) {
	err = s.db.Write(ctx, func(tx *sqlkit.Tx) error {
		done = false
		var digest string
		var revision uint64
		var signed int64
		err := tx.QueryRow(`SELECT digest, revision, at FROM status_lists WHERE id = $1`, l.ID).Scan(&digest, &revision, &signed)
		switch {
		case sqlkit.IsNoRows(err):
			if was != nil {
				return nil
			}
			var n int
			if err := tx.QueryRow(`SELECT COUNT(*) FROM status_lists WHERE issuer = $1`, l.Issuer).Scan(&n); err != nil {
				return err
			}
			if n >= hub.MaxListsOfIssuer {
				return hub.ErrQuota.WithHint(fmt.Sprintf("one issuer has at most %d status lists here", hub.MaxListsOfIssuer))
			}
		case err != nil:
			return err
		case was == nil || digest != hex.EncodeToString(was.Digest[:]) || revision != was.Revision || signed != was.At:
			return nil
		}
		if _, err := tx.Exec(`INSERT INTO status_lists (id, issuer, list, digest, freshness, certificate, revision, at, naf)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET list = excluded.list, digest = excluded.digest,
			freshness = excluded.freshness, certificate = excluded.certificate, revision = excluded.revision, at = excluded.at, naf = excluded.naf`,
			l.ID, l.Issuer, l.List, hex.EncodeToString(l.Digest[:]), l.Freshness, l.Certificate, l.Revision, l.At, l.NotAfter); err != nil {
			return err
		}
		if err := revoke(tx, l.ID, revoked, at); err != nil {
			return err
		}
		done = true
		return appendEvents(tx, events)
	})
	return done && err == nil, err
}

// revoke marks the credentials of newly set bits and announces each.
func revoke(tx *sqlkit.Tx, list string, revoked hub.Revoked, at int64) error {
	var found []hub.Credential
	for _, i := range revoked.Indexes {
		rows, err := tx.Query(ofBit, list, i)
		some, err := collect(rows, err, scanCredential)
		if err != nil {
			return err
		}
		found = append(found, some...)
	}
	if revoked.Set != nil {
		// Far more bits than credentials: look at what there is instead.
		rows, err := tx.Query(ofList, list)
		all, err := collect(rows, err, scanCredential)
		if err != nil {
			return err
		}
		for _, c := range all {
			if revoked.Set(c.StatusIndex) {
				found = append(found, c)
			}
		}
	}
	for _, c := range found {
		digest := hex.EncodeToString(c.Digest[:])
		if _, err := tx.Exec(`UPDATE credentials SET revoked = $1 WHERE digest = $2`, at, digest); err != nil {
			return err
		}
		if err := appendEvents(tx, []hub.Event{{Type: hub.EventRevocation, Subject: c.Subject, Role: c.Role, Digest: digest, List: list, At: at}}); err != nil {
			return err
		}
	}
	return nil
}

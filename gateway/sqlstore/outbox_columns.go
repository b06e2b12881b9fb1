package sqlstore

import (
	"database/sql"
	"encoding/json"

	"github.com/digital-spine/spine/gateway/outbox"
	"github.com/digital-spine/spine/internal/sqlkit"
)

// collect scans all rows with one and closes them.
func collect[T any](rows *sql.Rows, err error, one func(scan func(...any) error) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := one(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// noRow turns the database's word for nothing into the outbox's.
func noRow(err error) error {
	if sqlkit.IsNoRows(err) {
		return outbox.ErrNoRow
	}
	return err
}

func joinIDs(ids [][16]byte) []byte {
	b := make([]byte, 0, 16*len(ids))
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}

func splitIDs(b []byte) [][16]byte {
	out := make([][16]byte, len(b)/16)
	for i := range out {
		copy(out[i][:], b[16*i:])
	}
	return out
}

func joinDigests(list [][32]byte) []byte {
	b := make([]byte, 0, 32*len(list))
	for i := range list {
		b = append(b, list[i][:]...)
	}
	return b
}

func splitDigests(b []byte) [][32]byte {
	if len(b) == 0 {
		return nil
	}
	out := make([][32]byte, len(b)/32)
	for i := range out {
		copy(out[i][:], b[32*i:])
	}
	return out
}

// encodeRanges writes ranges as JSON; none are the empty string.
func encodeRanges[T any](list []T) string {
	if len(list) == 0 {
		return ""
	}
	b, err := json.Marshal(list)
	if err != nil {
		panic(err) // plain numbers and texts always marshal
	}
	return string(b)
}

func decodeRanges[T any](s string) (list []T, err error) {
	if s == "" {
		return nil, nil
	}
	err = json.Unmarshal([]byte(s), &list)
	return list, err
}

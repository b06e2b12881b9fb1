package outbox_test

import (
	"context"

	"github.com/digital-spine/spine/gateway/outbox"
)

func (br *breaking) Secret(ctx context.Context, fresh []byte) ([]byte, error) {
	return part(br, true, func() ([]byte, error) { return br.Store.Secret(ctx, fresh) })
}

func (br *breaking) Commit(ctx context.Context, c *outbox.Commit) error {
	return br.write(func() error { return br.Store.Commit(ctx, c) })
}

func (br *breaking) Wait(ctx context.Context, lane outbox.Lane, code string, rows []outbox.Waiting) error {
	return br.write(func() error { return br.Store.Wait(ctx, lane, code, rows) })
}

func (br *breaking) Reopen(ctx context.Context, lane outbox.Lane, code string, sid [32]byte, rows []outbox.Waiting) error {
	return br.write(func() error { return br.Store.Reopen(ctx, lane, code, sid, rows) })
}

func (br *breaking) Waiting(ctx context.Context, lane outbox.Lane, max int) ([]outbox.Waiting, error) {
	return part(br, false, func() ([]outbox.Waiting, error) { return br.Store.Waiting(ctx, lane, max) })
}

func (br *breaking) WaitingLanes(ctx context.Context) ([]outbox.Lane, error) {
	return part(br, false, func() ([]outbox.Lane, error) { return br.Store.WaitingLanes(ctx) })
}

func (br *breaking) Blame(ctx context.Context, lane outbox.Lane, code string) error {
	return br.write(func() error { return br.Store.Blame(ctx, lane, code) })
}

func (br *breaking) Message(ctx context.Context, id [16]byte) (*outbox.Message, error) {
	return part(br, false, func() (*outbox.Message, error) { return br.Store.Message(ctx, id) })
}

func (br *breaking) Session(ctx context.Context, sid [32]byte) (*outbox.Session, error) {
	return part(br, false, func() (*outbox.Session, error) { return br.Store.Session(ctx, sid) })
}

func (br *breaking) Sessions(ctx context.Context, naf int64, max int) ([]outbox.Session, error) {
	return part(br, false, func() ([]outbox.Session, error) { return br.Store.Sessions(ctx, naf, max) })
}

func (br *breaking) Members(ctx context.Context, sid [32]byte) ([]outbox.Member, error) {
	return part(br, false, func() ([]outbox.Member, error) { return br.Store.Members(ctx, sid) })
}

func (br *breaking) Member(ctx context.Context, sid [32]byte, addr string) (*outbox.Member, error) {
	return part(br, false, func() (*outbox.Member, error) { return br.Store.Member(ctx, sid, addr) })
}

func (br *breaking) Envelopes(ctx context.Context, sid [32]byte, a, b int64, max int) ([]outbox.Envelope, error) {
	return part(br, false, func() ([]outbox.Envelope, error) { return br.Store.Envelopes(ctx, sid, a, b, max) })
}

func (br *breaking) Last(ctx context.Context, lane outbox.Lane, addrs []string) (map[string]outbox.Entry, error) {
	return part(br, false, func() (map[string]outbox.Entry, error) { return br.Store.Last(ctx, lane, addrs) })
}

func (br *breaking) Unpublished(ctx context.Context, max int) ([]outbox.Member, error) {
	return part(br, false, func() ([]outbox.Member, error) { return br.Store.Unpublished(ctx, max) })
}

func (br *breaking) Published(ctx context.Context, cursors []outbox.Cursor) error {
	return br.write(func() error { return br.Store.Published(ctx, cursors) })
}

func (br *breaking) Regrant(ctx context.Context, sid [32]byte, addr string, pp int, grant []byte) error {
	return br.write(func() error { return br.Store.Regrant(ctx, sid, addr, pp, grant) })
}

func (br *breaking) PeerAt(ctx context.Context, addr string) (int64, error) {
	return part(br, false, func() (int64, error) { return br.Store.PeerAt(ctx, addr) })
}

func (br *breaking) Needs(ctx context.Context, sid [32]byte, except string) (int64, error) {
	return part(br, false, func() (int64, error) { return br.Store.Needs(ctx, sid, except) })
}

func (br *breaking) Receipt(ctx context.Context, r *outbox.ReceiptChange) (int64, error) {
	return part(br, true, func() (int64, error) { return br.Store.Receipt(ctx, r) })
}

func (br *breaking) Told(ctx context.Context, sid [32]byte, addr string, told int, a, at int64) error {
	return br.write(func() error { return br.Store.Told(ctx, sid, addr, told, a, at) })
}

func (br *breaking) Silent(ctx context.Context, at int64, told int, max int) ([]outbox.Member, error) {
	return part(br, false, func() ([]outbox.Member, error) { return br.Store.Silent(ctx, at, told, max) })
}

func (br *breaking) Expire(ctx context.Context, at, forget int64) error {
	return br.write(func() error { return br.Store.Expire(ctx, at, forget) })
}

func (br *breaking) Retire(ctx context.Context, sid [32]byte) error {
	return br.write(func() error { return br.Store.Retire(ctx, sid) })
}

func (br *breaking) Forget(ctx context.Context, sid [32]byte) error {
	return br.write(func() error { return br.Store.Forget(ctx, sid) })
}

func (br *breaking) Usage(ctx context.Context) (outbox.Usage, error) {
	return part(br, false, func() (outbox.Usage, error) { return br.Store.Usage(ctx) })
}

func (br *breaking) Rows(ctx context.Context) (map[string]int64, error) {
	return part(br, false, func() (map[string]int64, error) { return br.Store.Rows(ctx) })
}

func (br *breaking) Held(ctx context.Context, after string, max int) ([]string, error) {
	return part(br, false, func() ([]string, error) { return br.Store.Held(ctx, after, max) })
}

func (br *breaking) Pushed(ctx context.Context, file string, at int64) ([]outbox.Lane, error) {
	return part(br, true, func() ([]outbox.Lane, error) { return br.Store.Pushed(ctx, file, at) })
}

func (br *breaking) Hold(ctx context.Context, id [16]byte, code string) error {
	return br.write(func() error { return br.Store.Hold(ctx, id, code) })
}

func (br *breaking) Drop(ctx context.Context, id [16]byte, code string) error {
	return br.write(func() error { return br.Store.Drop(ctx, id, code) })
}

func (br *breaking) BlameFile(ctx context.Context, file, code string) error {
	return br.write(func() error { return br.Store.BlameFile(ctx, file, code) })
}

func (br *breaking) File(ctx context.Context, id [16]byte) (*outbox.FileRow, error) {
	return part(br, false, func() (*outbox.FileRow, error) { return br.Store.File(ctx, id) })
}

func (br *breaking) Spent(ctx context.Context, max int) ([]string, error) {
	return part(br, false, func() ([]string, error) { return br.Store.Spent(ctx, max) })
}

func (br *breaking) Released(ctx context.Context, file string) error {
	return br.write(func() error { return br.Store.Released(ctx, file) })
}

func (br *breaking) Latest(ctx context.Context, f outbox.LogFilter, nbf, n int64, max int) ([]outbox.SessionHead, error) {
	return part(br, false, func() ([]outbox.SessionHead, error) { return br.Store.Latest(ctx, f, nbf, n, max) })
}

func (br *breaking) Placed(ctx context.Context, sid [32]byte, at, seq int64, max int) ([]outbox.Envelope, error) {
	return part(br, false, func() ([]outbox.Envelope, error) { return br.Store.Placed(ctx, sid, at, seq, max) })
}

func (br *breaking) Between(ctx context.Context, sid [32]byte, a, b int64, max int) ([]outbox.Envelope, error) {
	return part(br, false, func() ([]outbox.Envelope, error) { return br.Store.Between(ctx, sid, a, b, max) })
}

func (br *breaking) Unsealed(ctx context.Context, f outbox.LogFilter, at int64, below []byte, max int) ([]outbox.Unsealed, error) {
	return part(br, false, func() ([]outbox.Unsealed, error) { return br.Store.Unsealed(ctx, f, at, below, max) })
}

func (br *breaking) Frame(ctx context.Context, id [16]byte) ([]byte, error) {
	return part(br, false, func() ([]byte, error) { return br.Store.Frame(ctx, id) })
}

func (br *breaking) Standing(ctx context.Context, sid [32]byte) ([]outbox.Member, error) {
	return part(br, false, func() ([]outbox.Member, error) { return br.Store.Standing(ctx, sid) })
}

func (br *breaking) Steps(ctx context.Context, sid [32]byte, seq int64) ([]outbox.StepRow, error) {
	return part(br, false, func() ([]outbox.StepRow, error) { return br.Store.Steps(ctx, sid, seq) })
}

func (br *breaking) Resent(ctx context.Context, sid [32]byte, addr string, a, b, at int64) error {
	return br.write(func() error { return br.Store.Resent(ctx, sid, addr, a, b, at) })
}

func (br *breaking) Newest(ctx context.Context, since int64) ([]outbox.Session, error) {
	return part(br, false, func() ([]outbox.Session, error) { return br.Store.Newest(ctx, since) })
}

func (br *breaking) Mark(ctx context.Context, sid [32]byte, at int64) (*outbox.Session, error) {
	return part(br, true, func() (*outbox.Session, error) { return br.Store.Mark(ctx, sid, at) })
}

func (br *breaking) Close(ctx context.Context, sid [32]byte) error {
	return br.write(func() error { return br.Store.Close(ctx, sid) })
}

func (br *breaking) Closing(ctx context.Context, max int) ([]outbox.Member, error) {
	return part(br, false, func() ([]outbox.Member, error) { return br.Store.Closing(ctx, max) })
}

func (br *breaking) Closed(ctx context.Context, sid [32]byte, addrs []string) error {
	return br.write(func() error { return br.Store.Closed(ctx, sid, addrs) })
}

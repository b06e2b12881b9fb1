package broker

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/digital-spine/spine/bus"
	"github.com/digital-spine/spine/internal/problem"
)

// The operator's powers. They are what any operator of a message bus has anyway;
// gateways detect and repair what is done with them. Each needs a reason or is
// logged, or both.

// banned reports the ban of an address that concerns a token made at made.
func (b *Broker) banned(addr string, made int64) error {
	ban, now := b.ban(addr), b.now()
	if now < ban.Until || made < ban.Before {
		return ErrBanned.WithHint("reason given: " + ban.Reason)
	}
	if b.meter.over(now, addr) {
		return ErrBanned.WithHint("more bytes were published within the retention than one sender may")
	}
	return nil
}

// ban returns what is known against an address; the zero Ban is nothing.
func (b *Broker) ban(addr string) Ban {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bans[addr]
}

// refuse has a ban decide from now on.
func (b *Broker) refuse(ban Ban) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bans[ban.Addr] = ban
}

// Kick closes the connections of all instances of a DID, voids their tokens, and
// refuses them for a time. The order matters: refused first, then closed, so
// that the reconnect finds the door shut.
func (b *Broker) Kick(ctx context.Context, did string, d time.Duration, reason string) (closed int, err error) {
	if err := needReason(reason); err != nil {
		return 0, err
	}
	all, err := b.Store.Instances(ctx, did, "", b.now())
	if err != nil {
		return 0, err
	}
	if len(all) == 0 {
		return 0, ErrNotFound.WithHint("no instance of this DID has a mailbox here")
	}
	b.banning.Lock()
	defer b.banning.Unlock()
	for _, in := range all {
		now := b.now()
		ban := Ban{Addr: in.Addr, Until: now + max(0, d.Milliseconds()), Before: now + 1, Reason: reason, Floor: b.ban(in.Addr).Floor}
		if err := b.Store.Ban(ctx, ban); err != nil {
			return closed, err
		}
		b.refuse(ban)
		n, err := b.Plane.Kick(ctx, in.Addr)
		closed += n
		if err != nil {
			return closed, err
		}
	}
	b.Log.Info("operator kicked a participant", "did", did, "for", d, "closed", closed, "reason", reason)
	return closed, nil
}

// mailbox returns a mailbox for an operator's call.
func (b *Broker) mailbox(ctx context.Context, addr string) (Mailbox, error) {
	if !bus.IsAddress(addr) {
		return Mailbox{}, problem.New(400, "address", "not an address").WithHint("26 characters of lower-case base32, as GET admin/mailboxes lists them")
	}
	return b.Store.Mailbox(ctx, addr)
}

// Messages lists stored messages of a mailbox.
func (b *Broker) Messages(ctx context.Context, addr string, after uint64, limit int) ([]Stored, error) {
	m, err := b.mailbox(ctx, addr)
	if err != nil {
		return nil, err
	}
	return b.Plane.Messages(ctx, m.PP, addr, after, limit)
}

// Pause stops delivery to a mailbox for a time; zero resumes.
func (b *Broker) Pause(ctx context.Context, addr string, d time.Duration) error {
	m, err := b.mailbox(ctx, addr)
	if err != nil {
		return err
	}
	b.Log.Info("operator paused a mailbox", "mailbox", addr, "for", d)
	return b.Plane.Pause(ctx, m.PP, addr, d)
}

// Delete removes one stored message.
func (b *Broker) Delete(ctx context.Context, addr string, seq uint64, reason string) error {
	if err := needReason(reason); err != nil {
		return err
	}
	m, err := b.mailbox(ctx, addr)
	if err != nil {
		return err
	}
	b.Log.Info("operator deleted a message", "mailbox", addr, "seq", seq, "reason", reason)
	return b.Plane.Delete(ctx, m.PP, addr, seq)
}

// Publish stores bytes under a subject of an existing mailbox.
func (b *Broker) Publish(ctx context.Context, subject string, data []byte) (uint64, error) {
	if _, _, _, err := bus.ParseSubject(subject); err != nil {
		return 0, problem.New(400, "bad_subject", "the subject is not m.<pp>.<mailbox>.<sender>")
	}
	if len(data) == 0 || int64(len(data)) > b.Network.Wire {
		return 0, problem.New(422, "too_large", "the message is empty or above the wire limit")
	}
	b.Log.Info("operator published", "subject", subject, "bytes", len(data))
	return b.Plane.Publish(ctx, subject, data)
}

// Rewind makes a mailbox's consumer again, from a sequence.
func (b *Broker) Rewind(ctx context.Context, addr string, seq uint64) error {
	m, err := b.mailbox(ctx, addr)
	if err != nil {
		return err
	}
	b.Log.Info("consumer made again", "mailbox", addr, "seq", seq)
	return b.Plane.Remake(ctx, m.PP, addr, seq)
}

// Purge removes everything a sender stored in a mailbox.
func (b *Broker) Purge(ctx context.Context, addr, sender, reason string) (uint64, error) {
	if err := needReason(reason); err != nil {
		return 0, err
	}
	if sender != "*" && !bus.IsAddress(sender) {
		return 0, problem.New(400, "address", "the sender is not an address")
	}
	m, err := b.mailbox(ctx, addr)
	if err != nil {
		return 0, err
	}
	n, err := b.Plane.Purge(ctx, m.PP, addr, sender)
	b.Log.Info("operator purged", "mailbox", addr, "sender", sender, "removed", n, "reason", reason)
	return n, err
}

func needReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return problem.New(422, "reason", "a reason is needed").WithHint("it is kept in the log")
	}
	return nil
}

// Metering looks at the traffic once and disconnects senders above their bytes.
func (b *Broker) Metering(ctx context.Context) error {
	all, err := b.Plane.Traffic(ctx)
	if err != nil {
		return err
	}
	conns := make(map[string]int, len(all))
	for _, t := range all {
		conns[t.Addr]++
	}
	b.mu.Lock()
	b.conns = conns
	b.mu.Unlock()
	for _, addr := range b.meter.add(b.now(), all) {
		n, err := b.Plane.Kick(ctx, addr)
		if err != nil {
			return err
		}
		b.Log.Warn("a sender published more than its share and is refused", "address", addr,
			"bytes", b.meter.used(b.now(), addr), "limit", b.Limits.BytesPerSender, "closed", n)
	}
	return nil
}

// Run does the broker's periodic work until ctx ends: metering every second,
// cleaning the directory and the blobs every minute.
func (b *Broker) Run(ctx context.Context) error {
	meter, clean := b.Clock.NewTicker(time.Second), b.Clock.NewTicker(time.Minute)
	defer meter.Stop()
	defer clean.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-meter.Chan():
			if err := b.Metering(ctx); err != nil && ctx.Err() == nil {
				b.Log.Warn("metering failed", "err", err)
			}
		case <-clean.Chan():
			if _, err := b.Store.Expire(ctx, b.now(), 1000); err != nil && ctx.Err() == nil {
				b.Log.Warn("cleaning the directory failed", "err", err)
			}
			b.cleanBlobs(ctx)
		}
	}
}

// AdminKey is the operator's key.
type AdminKey struct{ sum [32]byte }

// LoadAdminKey reads the operator's key, and makes the file with mode 0600 when
// it is missing.
func LoadAdminKey(path string) (*AdminKey, error) {
	key, err := secretFile(path, func() []byte {
		var b [24]byte
		rand.Read(b[:])
		return []byte(base64.RawURLEncoding.EncodeToString(b[:]) + "\n")
	})
	if err != nil {
		return nil, fmt.Errorf("operator's key: %w", err)
	}
	text := strings.TrimSpace(string(key))
	if len(text) < 16 {
		return nil, fmt.Errorf("operator's key %s is shorter than 16 characters", path)
	}
	return &AdminKey{sum: sha256.Sum256([]byte(text))}, nil
}

// Check compares in constant time.
func (k *AdminKey) Check(bearer string) error {
	sum := sha256.Sum256([]byte(bearer))
	if subtle.ConstantTimeCompare(sum[:], k.sum[:]) != 1 {
		return ErrAdmin
	}
	return nil
}

// LoadSecret reads the broker's secret, and makes the file when it is missing.
func LoadSecret(path string) ([]byte, error) {
	b, err := secretFile(path, func() []byte {
		b := make([]byte, 32)
		rand.Read(b)
		return b
	})
	if err != nil {
		return nil, fmt.Errorf("broker secret: %w", err)
	}
	if len(b) != 32 {
		return nil, fmt.Errorf("broker secret %s has %d bytes, not 32", path, len(b))
	}
	return b, nil
}

func secretFile(path string, fresh func() []byte) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return b, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	b = fresh()
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return b, os.Rename(tmp, path)
}

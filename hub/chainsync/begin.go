package chainsync

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/evm"
)

// begin tells from which block to read, and up to which one everything was
// announced. changed says that the block of the position is another now: the
// chain was reorganised while nobody looked.
func (s *Sync) begin(ctx context.Context) (from, told uint64, changed bool, err error) {
	at, err := s.d.Store.Cursor(ctx, cursor)
	if err != nil {
		return 0, 0, false, err
	}
	hash, err := s.d.Store.Cursor(ctx, cursorHash)
	if err != nil {
		return 0, 0, false, err
	}
	if told, err = s.d.Store.Cursor(ctx, cursorTold); err != nil {
		return 0, 0, false, err
	}
	header, err := s.d.Client.HeaderByNumber(ctx, nil)
	if err != nil {
		return 0, 0, false, fmt.Errorf("read the head: %w", err)
	}
	head := header.Number.Uint64()
	if told = max(told, at); told == 0 {
		// The first reading announces nothing of what was there before it.
		return 0, head, false, nil
	}
	// What a follower reads again at each head, it reads again at the start.
	from = min(at, head)
	from -= min(from, evm.DefaultReread)
	if hash == 0 {
		return from, told, false, nil
	}
	if at < head {
		if header, err = s.d.Client.HeaderByNumber(ctx, new(big.Int).SetUint64(at)); err != nil {
			return 0, 0, false, fmt.Errorf("read the block of the position: %w", err)
		}
	}
	if hashed(header.Hash()) == hash {
		return from, told, false, nil
	}
	s.d.Log.Warn("the chain was reorganised; looking at all names again", "block", at)
	return from, min(told, from-min(from, 1)), true, nil
}

// hashed is what is kept of a block's hash; it is never zero.
func hashed(h common.Hash) uint64 { return binary.BigEndian.Uint64(h[:])>>1 | 1 }

// recheck has every name of the index read again.
func (s *Sync) recheck(ctx context.Context) error {
	return s.names(ctx, func(name string) error {
		s.enter(ctx, touched{node: ens.Namehash(name)}, why{removed: true})
		return ctx.Err()
	})
}

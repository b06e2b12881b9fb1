package ethr

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
)

var (
	registryABI = contract.NewEthereumDIDRegistry()

	topicOwner     = registryABI.GetABI().Events["DIDOwnerChanged"].ID
	topicDelegate  = registryABI.GetABI().Events["DIDDelegateChanged"].ID
	topicAttribute = registryABI.GetABI().Events["DIDAttributeChanged"].ID
)

// read makes the state from the registry at the head: the newest change, then
// from block to block what came before, each event naming its predecessor.
// The set is complete when the links end at zero, and it is the newest when it
// begins at changed(identity).
func (r *Resolver) read(ctx context.Context, id ID) (*State, error) {
	header, err := r.client.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the head: %w", err)
	}
	head := evm.HeadOf(header)
	if err := r.fresh(head); err != nil {
		return nil, err
	}
	changed, err := r.changed(ctx, id.Address, header.Number)
	if err != nil {
		return nil, err
	}
	if changed > head.Number {
		return nil, errors.New("the newest change lies after the head")
	}
	events, err := r.walk(ctx, id.Address, changed)
	if err != nil {
		return nil, err
	}
	s := fold(id, events, head, r.now(head))
	s.Changed = changed
	owner, err := r.owner(ctx, id.Address, header.Number)
	if err != nil {
		return nil, err
	}
	// An identity given up (owner zero) is answered as its own owner.
	if s.Controller != owner && (s.Controller != (common.Address{}) || owner != id.Address) {
		return nil, errors.New("the events name another owner than the registry")
	}
	return s, nil
}

// now is the time at which validity is judged: that of the head or, where
// blocks are only made for transactions, at least that of the clock.
func (r *Resolver) now(h Head) time.Time {
	if now := r.clock.Now(); r.o.BlockPeriod <= 0 && now.After(h.Time) {
		return now
	}
	return h.Time
}

func (r *Resolver) changed(ctx context.Context, a common.Address, block *big.Int) (uint64, error) {
	out, err := r.call(ctx, registryABI.PackChanged(a), block)
	if err != nil {
		return 0, err
	}
	n, err := registryABI.UnpackChanged(out)
	if err != nil || !n.IsUint64() {
		return 0, errors.New("the registry gives no block number")
	}
	return n.Uint64(), nil
}

func (r *Resolver) owner(ctx context.Context, a common.Address, block *big.Int) (common.Address, error) {
	out, err := r.call(ctx, registryABI.PackIdentityOwner(a), block)
	if err != nil {
		return common.Address{}, err
	}
	owner, err := registryABI.UnpackIdentityOwner(out)
	if err != nil {
		return common.Address{}, errors.New("the registry gives no owner")
	}
	return owner, nil
}

func (r *Resolver) call(ctx context.Context, data []byte, block *big.Int) ([]byte, error) {
	out, err := r.client.CallContract(ctx, ethereum.CallMsg{To: &r.registry, Data: data}, block)
	if err != nil {
		return nil, fmt.Errorf("asking the registry: %w", err)
	}
	return out, nil
}

// event is one change, with the fields of its kind set.
type event struct {
	block    uint64
	previous uint64
	kind     common.Hash
	owner    common.Address
	name     string
	delegate common.Address
	value    []byte
	validTo  *big.Int
}

// walk returns the events of an identity, oldest first.
func (r *Resolver) walk(ctx context.Context, a common.Address, changed uint64) ([]event, error) {
	var newestFirst []event
	values := 0
	for block := changed; block != 0; {
		number := new(big.Int).SetUint64(block)
		logs, err := r.client.FilterLogs(ctx, ethereum.FilterQuery{
			FromBlock: number, ToBlock: number,
			Addresses: []common.Address{r.registry},
			Topics:    [][]common.Hash{nil, {common.BytesToHash(a[:])}},
		})
		if err != nil {
			return nil, fmt.Errorf("reading events of block %d: %w", block, err)
		}
		if len(logs) == 0 {
			return nil, fmt.Errorf("the events do not link: none in block %d", block)
		}
		slices.SortFunc(logs, func(x, y types.Log) int { return int(y.Index) - int(x.Index) })
		previous := block
		for i, l := range logs {
			e, err := decode(l)
			if err != nil {
				return nil, err
			}
			// Within a block each names the block itself, the first of them the
			// block of the change before.
			first := i == len(logs)-1
			if l.BlockNumber != block || first != (e.previous < block) || e.previous > block {
				return nil, fmt.Errorf("the events do not link in block %d", block)
			}
			previous = e.previous
			values += len(e.value)
			newestFirst = append(newestFirst, e)
		}
		if len(newestFirst) > maxEvents || values > maxValues {
			return nil, errors.New("the DID has more events than are read")
		}
		block = previous
	}
	slices.Reverse(newestFirst)
	return newestFirst, nil
}

func decode(l types.Log) (event, error) {
	bad := fmt.Errorf("block %d holds an event that is not of ERC-1056", l.BlockNumber)
	if len(l.Topics) < 2 || l.Removed {
		return event{}, bad
	}
	e := event{block: l.BlockNumber, kind: l.Topics[0]}
	var previous *big.Int
	switch e.kind {
	case topicOwner:
		v, err := registryABI.UnpackDIDOwnerChangedEvent(&l)
		if err != nil {
			return event{}, bad
		}
		e.owner, previous = v.Owner, v.PreviousChange
	case topicDelegate:
		v, err := registryABI.UnpackDIDDelegateChangedEvent(&l)
		if err != nil {
			return event{}, bad
		}
		e.name, e.delegate, e.validTo, previous = text(v.DelegateType), v.Delegate, v.ValidTo, v.PreviousChange
	case topicAttribute:
		v, err := registryABI.UnpackDIDAttributeChangedEvent(&l)
		if err != nil {
			return event{}, bad
		}
		e.name, e.value, e.validTo, previous = text(v.Name), v.Value, v.ValidTo, v.PreviousChange
	default:
		return event{}, bad
	}
	// A log without data unpacks without an error, and without numbers.
	if previous == nil || !previous.IsUint64() || e.kind != topicOwner && e.validTo == nil {
		return event{}, bad
	}
	e.previous = previous.Uint64()
	return e, nil
}

// text reads a bytes32 string: what stands before the zeros at its end. The
// rest is kept as it is, so that two names are never taken for one.
func text(b [32]byte) string {
	end := len(b)
	for end > 0 && b[end-1] == 0 {
		end--
	}
	return string(b[:end])
}

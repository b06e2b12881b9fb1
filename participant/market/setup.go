package market

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/contract"
	"github.com/digital-spine/spine/internal/problem"
)

// Chain is where the market's names live, and the account that owns the root
// of the names and pays for the market operator's first transactions.
type Chain struct {
	RPC       string
	Contracts contract.Addresses
	Root      *ecdsa.PrivateKey
}

// fund is what the market operator's account gets to write names with: a
// thousandth of a coin is far more than they cost.
var fund = big.NewInt(1e18)

// Setup makes the market, or finds that it is there: the organisation, given to
// the market operator's DID by the owner of the root; application and roles,
// by the market operator's gateway; each party's channels; each party's
// request for its role and the credential that the market operator's gateway
// issues; the topics. It is idempotent, and everything goes through public
// interfaces: the chain's RPC and the gateways' APIs.
func Setup(ctx context.Context, ch Chain, gateways map[string]*client.Client) error {
	for _, p := range Parties {
		if gateways[p] == nil {
			return fmt.Errorf("set the market up: no gateway for the %s", p)
		}
	}
	operator := gateways[MarketOperator]
	id, err := operator.Identity(ctx)
	if err != nil {
		return fmt.Errorf("ask the market operator's gateway who it is: %w", err)
	}
	if err := giveName(ctx, ch, common.HexToAddress(id.Address)); err != nil {
		return fmt.Errorf("give %s to the market operator: %w", Organisation, err)
	}
	if err := names(ctx, operator, id.DID); err != nil {
		return err
	}
	// From here on the parties are independent of each other.
	return parallel(
		func() error { return topics(ctx, operator) },
		func() error { return enrolAll(ctx, gateways) },
		func() error {
			for _, p := range Parties {
				for _, c := range Channels(p) {
					if err := gateways[p].PutChannel(ctx, c); err != nil {
						return fmt.Errorf("channel %s of the %s: %w", c.Name, p, err)
					}
				}
			}
			return nil
		},
		func() error { return introduce(ctx, gateways) },
	)
}

// introduce has every gateway call the others by a name that people can read.
func introduce(ctx context.Context, gateways map[string]*client.Client) error {
	for _, other := range Parties {
		id, err := gateways[other].Identity(ctx)
		if err != nil {
			return fmt.Errorf("ask the %s's gateway who it is: %w", other, err)
		}
		for _, p := range Parties {
			if err := gateways[p].PutContact(ctx, id.DID, Called[other]); err != nil {
				return fmt.Errorf("tell the %s who %s is: %w", p, id.DID, err)
			}
		}
	}
	return nil
}

func parallel(fns ...func() error) error {
	errs := make([]error, len(fns))
	var wg sync.WaitGroup
	for i, fn := range fns {
		wg.Go(func() { errs[i] = fn() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// giveName hands the organisation's name and some coin to an account.
func giveName(ctx context.Context, ch Chain, to common.Address) error {
	c, err := evm.Dial(ctx, ch.RPC)
	if err != nil {
		return err
	}
	defer c.Close()
	owner, err := ens.NewRegistry(c, ch.Contracts).Owner(ctx, Organisation)
	if err == nil && owner == to {
		return nil
	}
	chainID, err := c.ChainID(ctx)
	if err != nil {
		return err
	}
	t := evm.NewTransactor(c, evm.NewKeySigner(ch.Root), chainID)
	if _, err := t.Send(ctx, &to, nil, fund); err != nil {
		return err
	}
	return ens.NewWriter(t, ch.Contracts).SetOwner(ctx, Organisation, to)
}

func names(ctx context.Context, operator *client.Client, did string) error {
	put := func(name, kind string, definition any) error {
		b, err := json.Marshal(definition)
		if err != nil {
			return err
		}
		if err := operator.PutName(ctx, name, client.Name{Kind: kind, Definition: b}); err != nil {
			return fmt.Errorf("name %s: %w", name, err)
		}
		return nil
	}
	if err := put(Organisation, "organisation", map[string]any{"orgName": "Edge", "description": "A sample flexibility market"}); err != nil {
		return err
	}
	if err := put(Application, "application", map[string]any{"appName": "Market", "description": "Bids, dispatch and envelopes"}); err != nil {
		return err
	}
	for _, p := range Parties {
		if err := put(Roles[p], "role", map[string]any{"version": 1, "issuers": []string{did}, "revokers": []string{did}}); err != nil {
			return err
		}
	}
	return nil
}

func topics(ctx context.Context, operator *client.Client) error {
	for _, t := range Topics {
		schema, err := Schema(t)
		if err != nil {
			return err
		}
		if err := operator.PutTopic(ctx, TopicName(t), client.Topic{Version: Version, Kind: Kind(t), Schema: schema}); err != nil {
			return fmt.Errorf("topic %s: %w", t, err)
		}
	}
	return nil
}

// enrolAll asks for each party's role and has the market operator issue it.
func enrolAll(ctx context.Context, gateways map[string]*client.Client) error {
	operator := gateways[MarketOperator]
	for _, p := range Parties {
		if err := Enrol(ctx, gateways[p], operator, Roles[p]); err != nil {
			return fmt.Errorf("role of the %s: %w", p, err)
		}
	}
	return nil
}

// Enrol has a party ask for a role and the issuer grant it, unless the party
// holds a credential for it that was not revoked. A gateway that is not ready
// yet, or whose hub has not seen the role's definition, is asked again until ctx
// ends.
func Enrol(ctx context.Context, party, issuer *client.Client, role string) error {
	var held *client.Credentials
	err := again(ctx, func() (err error) {
		held, err = party.Credentials(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range held.Held {
		if c.Role == role && c.Revoked == 0 {
			return nil
		}
	}
	var e *client.Enrolment
	err = again(ctx, func() (err error) {
		e, err = party.Enrol(ctx, role)
		return err
	})
	if err != nil || e.Status == "issued" {
		return err
	}
	return again(ctx, func() error {
		_, err := issuer.Issue(ctx, e.ID)
		return err
	})
}

// again repeats what may only be asked for too early.
func again(ctx context.Context, fn func() error) error {
	for {
		err := fn()
		switch problem.CodeOf(err) {
		case "role_unknown", "unreachable", "not_ready":
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

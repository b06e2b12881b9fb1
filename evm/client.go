package evm

import (
	"context"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

// Client is the part of JSON-RPC that this project uses; *RPC implements it,
// and so does go-ethereum's *ethclient.Client.
type Client interface {
	ChainID(ctx context.Context) (*big.Int, error)
	BlockNumber(ctx context.Context) (uint64, error)
	HeaderByNumber(ctx context.Context, number *big.Int) (*types.Header, error)
	CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error)
	FilterLogs(ctx context.Context, q ethereum.FilterQuery) ([]types.Log, error)
	SendTransaction(ctx context.Context, tx *types.Transaction) error
	PendingNonceAt(ctx context.Context, account common.Address) (uint64, error)
	SuggestGasPrice(ctx context.Context) (*big.Int, error)
	SuggestGasTipCap(ctx context.Context) (*big.Int, error)
	EstimateGas(ctx context.Context, call ethereum.CallMsg) (uint64, error)
	TransactionReceipt(ctx context.Context, hash common.Hash) (*types.Receipt, error)
	CodeAt(ctx context.Context, account common.Address, block *big.Int) ([]byte, error)
	BalanceAt(ctx context.Context, account common.Address, block *big.Int) (*big.Int, error)
}

// callTimeout bounds one HTTP exchange with the endpoint.
const callTimeout = 20 * time.Second

// RPC is a Client over HTTP.
type RPC struct {
	*ethclient.Client
	url string
}

// Dial prepares a client for an http or https endpoint. No request is made:
// an endpoint that is away shows at the first call.
func Dial(ctx context.Context, rpcURL string) (*RPC, error) {
	// The address may hold a token: it stays out of errors.
	if u, err := url.Parse(rpcURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("evm: the RPC address is not one of http or https")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	c, err := rpc.DialOptions(ctx, rpcURL,
		rpc.WithHTTPClient(&http.Client{Timeout: callTimeout, Transport: transport}))
	if err != nil {
		return nil, errors.New("evm: the RPC address is not usable")
	}
	return &RPC{Client: ethclient.NewClient(c), url: rpcURL}, nil
}

// URL returns the address that was dialled.
func (r *RPC) URL() string { return r.url }

//go:build !nochain

package devchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/digital-spine/spine/internal/config"
)

const (
	readTimeout = 10 * time.Second
	idleTimeout = 2 * time.Minute

	// What one request may ask for and get.
	batchItems    = 1_000
	batchResponse = 16 << 20
)

const addressFile = "listen"

// listen opens the loopback address. With port 0 the address of the last run
// is tried first, so that what was configured with it goes on working.
func listen(ctx context.Context, address, dataDir string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("devchain: listen address: %w", err)
	}
	if !loopback(host) {
		return nil, fmt.Errorf("devchain: %s is not a loopback address: whoever reaches the RPC writes the chain", host)
	}
	var lc net.ListenConfig
	sticky := path(dataDir, addressFile)
	if port == "0" && sticky != "" {
		if last, err := os.ReadFile(sticky); err == nil {
			if h, _, err := net.SplitHostPort(string(last)); err == nil && loopback(h) {
				if l, err := lc.Listen(ctx, "tcp", string(last)); err == nil {
					return l, nil
				}
			}
		}
	}
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("devchain: listening: %w", err)
	}
	if sticky != "" {
		if err := config.WriteFile(sticky, []byte(l.Addr().String()), 0o600); err != nil {
			return nil, fmt.Errorf("devchain: noting the address: %w", errors.Join(err, l.Close()))
		}
	}
	return l, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

// handler serves the namespaces eth, net and web3 and nothing of the node's
// administration.
func (c *Chain) handler() (http.Handler, error) {
	server := rpc.NewServer()
	server.SetBatchLimits(batchItems, batchResponse)
	apis := append(c.eth.APIs(), rpc.API{
		Namespace: "eth",
		Service:   filters.NewFilterAPI(filters.NewFilterSystem(c.eth.APIBackend, filters.Config{})),
	})
	if err := node.RegisterApis(apis, []string{"eth", "net"}, server); err != nil {
		return nil, fmt.Errorf("devchain: registering the API: %w", err)
	}
	// The later registration takes the place of the node's own method.
	if err := server.RegisterName("eth", estimator{c.self}); err != nil {
		return nil, fmt.Errorf("devchain: registering the API: %w", err)
	}
	if err := server.RegisterName("web3", versioner{}); err != nil {
		return nil, fmt.Errorf("devchain: registering the API: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !loopback(host) {
			// A web page whose name was pointed at this machine.
			http.Error(w, "this chain answers to loopback names only", http.StatusForbidden)
			return
		}
		if r.Method == http.MethodGet && (r.URL.Path == "/healthz" || r.URL.Path == "/readyz") {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		server.ServeHTTP(&durableWriter{ResponseWriter: w, miner: c.miner}, r)
	}), nil
}

// durableWriter holds an answer back until every block it could have seen is
// on disk: what a client was told survives a kill.
type durableWriter struct {
	http.ResponseWriter
	miner *miner
	ready bool
}

var errStopped = errors.New("devchain: stopped before the block was on disk")

func (w *durableWriter) Write(b []byte) (int, error) {
	if !w.ready {
		if !w.miner.await() {
			return 0, errStopped
		}
		w.ready = true
	}
	return w.ResponseWriter.Write(b)
}

// estimator answers eth_estimateGas with a margin: where each transaction has
// a block of its own, a call whose cost depends on the block number would
// otherwise run out of gas (ERC-1056 writes the number of the last change).
type estimator struct{ inner *rpc.Client }

const estimateMargin = 30 // percent

// EstimateGas implements eth_estimateGas.
func (e estimator) EstimateGas(ctx context.Context, call json.RawMessage, block, state, overrides *json.RawMessage) (hexutil.Uint64, error) {
	args := []any{call}
	for _, a := range []*json.RawMessage{block, state, overrides} {
		if a == nil {
			break
		}
		args = append(args, a)
	}
	var gas hexutil.Uint64
	if err := e.inner.CallContext(ctx, &gas, "eth_estimateGas", args...); err != nil {
		return 0, err
	}
	return min(gas+gas*estimateMargin/100, gasLimit), nil
}

type versioner struct{}

// ClientVersion implements web3_clientVersion.
func (versioner) ClientVersion() string { return "spine-devchain/1" }

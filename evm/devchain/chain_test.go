//go:build !nochain

package devchain_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/digital-spine/spine/evm"
	"github.com/digital-spine/spine/evm/devchain"
)

// childDir names the data directory of the child process that the kill test
// starts: this test binary, running a chain.
const childDir = "SPINE_DEVCHAIN_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

// child runs a chain and transfers coin for ever; each line is a transaction
// whose receipt was read over HTTP.
func child(dir string) {
	ctx := context.Background()
	c, err := devchain.Start(ctx, devchain.Config{DataDir: dir, ChainID: 1337, Log: slog.Default()})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	t := transactor(c)
	for {
		r, err := t.Send(ctx, &common.Address{1}, nil, big.NewInt(1))
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("block", r.BlockNumber, r.BlockHash, r.TxHash)
	}
}

func transactor(c *devchain.Chain) *evm.Transactor {
	client, err := evm.Dial(context.Background(), c.RPC())
	if err != nil {
		panic(err)
	}
	return evm.NewTransactor(client, evm.NewKeySigner(c.Faucet()), new(big.Int).SetUint64(c.ChainID()))
}

func start(t *testing.T, cfg devchain.Config) *devchain.Chain {
	t.Helper()
	c, err := devchain.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestChainMinesEachTransaction(t *testing.T) {
	began := time.Now()
	c := start(t, devchain.Config{ChainID: 73799})
	t.Logf("started in %v", time.Since(began))
	client, err := evm.Dial(t.Context(), c.RPC())
	if err != nil {
		t.Fatal(err)
	}
	id, err := client.ChainID(t.Context())
	if err != nil || id.Uint64() != 73799 {
		t.Fatalf("chain id %v, %v", id, err)
	}
	tr := transactor(c)
	to := common.Address{7}
	for i := range 3 {
		r, err := tr.Send(t.Context(), &to, nil, big.NewInt(5))
		if err != nil {
			t.Fatal(err)
		}
		if r.BlockNumber.Int64() != int64(i+1) {
			t.Errorf("transaction %d is in block %v", i, r.BlockNumber)
		}
	}
	balance, err := client.BalanceAt(t.Context(), to, nil)
	if err != nil || balance.Int64() != 15 {
		t.Errorf("balance %v, %v", balance, err)
	}
}

func TestManySendersAtOnce(t *testing.T) {
	c := start(t, devchain.Config{})
	tr := transactor(c)
	const n = 40
	errs := make(chan error, n)
	for range n {
		go func() {
			_, err := tr.Send(t.Context(), &common.Address{9}, nil, big.NewInt(1))
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	balance, err := tr.Client().BalanceAt(t.Context(), common.Address{9}, nil)
	if err != nil || balance.Int64() != n {
		t.Errorf("balance %v, %v", balance, err)
	}
}

func TestRestartKeepsChainKeyAndAddress(t *testing.T) {
	dir := t.TempDir()
	c := start(t, devchain.Config{DataDir: dir})
	r, err := transactor(c).Send(t.Context(), &common.Address{1}, nil, big.NewInt(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, devchain.Config{DataDir: dir})
	if again.RPC() != c.RPC() {
		t.Errorf("address was %s, is %s", c.RPC(), again.RPC())
	}
	if !again.Faucet().Equal(c.Faucet()) {
		t.Error("another faucet key")
	}
	got, err := transactor(again).Client().TransactionReceipt(t.Context(), r.TxHash)
	if err != nil || got.BlockHash != r.BlockHash {
		t.Errorf("receipt %v, %v", got, err)
	}
	info, err := os.Stat(filepath.Join(dir, devchain.FaucetFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	again.Close()
	if _, err := devchain.Start(t.Context(), devchain.Config{DataDir: dir, ChainID: 99}); err == nil {
		t.Error("another chain id was taken on an existing directory")
	}
}

func TestKillKeepsEveryAnsweredBlock(t *testing.T) {
	dir := t.TempDir()
	var told [][]string
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			f := strings.Fields(lines.Text())
			if f[0] != "block" {
				t.Fatal(lines.Text())
			}
			told = append(told, f)
			if n == 12+round*7 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
	}
	c := start(t, devchain.Config{DataDir: dir})
	client := transactor(c).Client()
	for _, f := range told {
		r, err := client.TransactionReceipt(t.Context(), common.HexToHash(f[3]))
		if err != nil {
			t.Fatalf("block %s is gone: %v", f[1], err)
		}
		if r.BlockHash.Hex() != f[2] {
			t.Errorf("block %s was %s, is %s", f[1], f[2], r.BlockHash)
		}
	}
	head, err := client.BlockNumber(t.Context())
	t.Logf("%d answered transactions, head %d, %v", len(told), head, err)
}

// TestKillAtTheStart kills children while they make or open the data
// directory; the next one must open it.
func TestKillAtTheStart(t *testing.T) {
	dir := t.TempDir()
	for i := range 24 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Killed after a while that grows past the time of a start, or at once
		// when it said that it cannot.
		timer := time.AfterFunc(time.Duration(10+5*i)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "error") {
				t.Error(lines.Text())
			}
		}
		timer.Stop()
		_ = cmd.Wait()
		if i%6 == 5 {
			dir = t.TempDir()
		}
	}
}

func TestOnlyLoopback(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0"} {
		if c, err := devchain.Start(t.Context(), devchain.Config{Listen: address}); err == nil {
			c.Close()
			t.Errorf("listens on %s", address)
		}
	}
	c := start(t, devchain.Config{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.RPC(),
		strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Host = "evil.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign host name got %s", resp.Status)
	}
}

func TestFaucetKeyIsNotTheSameTwice(t *testing.T) {
	a, b := start(t, devchain.Config{}), start(t, devchain.Config{})
	if crypto.PubkeyToAddress(a.Faucet().PublicKey) == crypto.PubkeyToAddress(b.Faucet().PublicKey) {
		t.Error("two chains with one faucet key")
	}
}

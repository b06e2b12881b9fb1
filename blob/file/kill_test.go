package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/digital-spine/spine/blob"
	"github.com/digital-spine/spine/internal/testkit"
)

// killedEnv has the test binary be the process that is killed.
const killedEnv = "SPINE_TEST_BLOB_KILLED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedEnv); dir != "" {
		putForEver(dir)
	}
	os.Exit(m.Run())
}

// piece makes the nth blob.
func piece(n uint64) []byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], n)
	src := rand.New(rand.NewChaCha8(seed))
	b := make([]byte, 100_000+src.IntN(900_000))
	binary.LittleEndian.PutUint64(b, n)
	return b
}

// putForEver stores one blob after the other and says so, until it is killed.
func putForEver(dir string) {
	s, err := Open(dir, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for n := uint64(os.Getpid()) << 20; ; n++ {
		b := piece(n)
		if err := s.Put(context.Background(), sha256.Sum256(b), int64(len(b)), bytes.NewReader(b)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		// What is told here was promised.
		if err := binary.Write(os.Stdout, binary.LittleEndian, n); err != nil {
			os.Exit(1)
		}
	}
}

// TestKilledInTheMiddle kills a process that stores: all that it told is there,
// all that is there is whole, and what it had begun is gone.
func TestKilledInTheMiddle(t *testing.T) {
	ctx := testkit.Context(t)
	dir := t.TempDir()
	told := make(map[blob.Hash]bool)
	for round := range 5 {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), killedEnv+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for i := 0; ; i++ {
			if i == 2+round { // somewhere in the next
				_ = cmd.Process.Kill()
			}
			var n uint64
			if err := binary.Read(out, binary.LittleEndian, &n); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			told[sha256.Sum256(piece(n))] = true
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it ended by itself")
		}
		s := open(t, dir)
		all, err := s.List(ctx, blob.Hash{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		here := make(map[blob.Hash]bool, len(all))
		for _, i := range all {
			here[i.Hash] = true
			if ok, err := s.Intact(ctx, i.Hash); err != nil || !ok {
				t.Fatalf("%s is not whole: %v", blob.FormatHash(i.Hash), err)
			}
		}
		for h := range told {
			if !here[h] {
				t.Fatalf("%s was told to be stored and is gone", blob.FormatHash(h))
			}
		}
		if left, err := os.ReadDir(filepath.Join(dir, incomingDir)); err != nil || len(left) > 0 {
			t.Fatal(left, err)
		}
		s.Close()
	}
	if len(told) < 10 {
		t.Fatalf("only %d blobs were stored", len(told))
	}
}

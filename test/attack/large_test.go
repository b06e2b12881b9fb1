package attack

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/envelope/cobblestone"
	"github.com/digital-spine/spine/gateway"
	"github.com/digital-spine/spine/internal/testkit"
	"github.com/digital-spine/spine/participant/market"
	"github.com/digital-spine/spine/participant/villain"
)

// member is a participant of the attacker's own, with the aggregator's role and
// without a gateway that would keep it from anything.
func (s *stage) member(ctx context.Context, t *testing.T) (*villain.Impostor, envelope.Digest) {
	t.Helper()
	v, err := villain.NewImpostor(ctx, s.Network)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	request, err := v.Enrol(ctx, market.RoleAggregator)
	if err != nil {
		t.Fatal(err)
	}
	cred, err := s.gateways[market.MarketOperator].Issue(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := envelope.ParseDigest(cred.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return v, digest
}

// open has the attacker open a session with the market operator.
func (s *stage) open(ctx context.Context, t *testing.T, v *villain.Impostor, topic string, credential envelope.Digest) *villain.Session {
	t.Helper()
	session, err := v.Open(ctx, market.TopicName(topic), s.dids[market.MarketOperator], credential)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func newFrame(body []byte) envelope.Frame {
	f := envelope.Frame{Type: "application/json", Body: body, At: time.Now().UnixMilli()}
	rand.Read(f.ID[:])
	return f
}

// about reports whether an event is one of a session and number.
func about(e *gateway.Event, s *villain.Session, code envelope.Code, seq uint64) bool {
	return e.Code == string(code) && e.Session == s.ID.String() && e.Seq != nil && *e.Seq == int64(seq)
}

// tells waits for an event about a number of a session, and returns it.
func (s *stage) tells(ctx context.Context, t *testing.T, session *villain.Session, code envelope.Code, seq uint64) gateway.Event {
	t.Helper()
	return waitEvent(ctx, t, s.gateways[market.MarketOperator], fmt.Sprintf("%s about %d", code, seq),
		func(e *gateway.Event) bool { return about(e, session, code, seq) })
}

// seal makes the session's next envelope of one message.
func seal(ctx context.Context, t *testing.T, session *villain.Session, f envelope.Frame) *envelope.Envelope {
	t.Helper()
	e, err := session.Seal(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestBodyReplaced has the broker's operator replace, cut and remove the bodies
// of notices: none of it is taken, each is asked for again, and what the sender
// brings back is handed over.
func TestBodyReplaced(t *testing.T) {
	s := newStage(t, 0)
	ctx, cancel := context.WithTimeout(testkit.Context(t), 5*patience)
	defer cancel()
	v, credential := s.member(ctx, t)
	session := s.open(ctx, t, v, "hello", credential)
	body := append([]byte(`{"n":1}`), bytes.Repeat([]byte(" "), envelope.NoticeSize)...)
	ids := make(map[string]bool)
	for name, damage := range map[string]func(ct []byte) []byte{
		"one bit":     func(ct []byte) []byte { ct[len(ct)/2] ^= 1; return ct },
		"cut":         func(ct []byte) []byte { return ct[:len(ct)-1] },
		"longer":      func(ct []byte) []byte { return append(ct, 0) },
		"gone":        nil,
		"other bytes": func([]byte) []byte { return []byte("nothing of the kind") },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFrame(body)
			e := seal(ctx, t, session, f)
			hash, err := v.PutBlob(ctx, e.Ciphertext)
			must(t, err)
			if damage == nil {
				must(t, s.operator.DeleteBlob(ctx, hash))
			} else {
				must(t, s.operator.ReplaceBlob(ctx, hash, damage(bytes.Clone(e.Ciphertext))))
			}
			must(t, session.Publish(ctx, e.Notice().Bytes()))
			if got := s.tells(ctx, t, session, envelope.ContentHash, e.Seq); got.DID != v.DID {
				t.Errorf("%s: event %+v", name, got)
			}
			if _, err := v.PutBlob(ctx, e.Ciphertext); err != nil {
				t.Errorf("%s: the true body is not taken back: %v", name, err)
			}
			s.tells(ctx, t, session, "repaired", e.Seq)
			ids[gateway.FormatID(f.ID)] = true
		})
	}
	for _, m := range receive(ctx, t, s.gateways[market.MarketOperator], "hello", len(ids)) {
		if !ids[m.ID] || m.Redelivered {
			t.Errorf("message %s", m.ID)
		}
		delete(ids, m.ID)
	}
	if len(ids) > 0 {
		t.Errorf("not handed over: %v", ids)
	}
}

// sealedFile seals content in parts for the attacker.
func sealedFile(t *testing.T, size int64) (*envelope.Object, [][]byte) {
	t.Helper()
	content := make([]byte, size)
	rand.Read(content)
	o := &envelope.Object{Name: "model.bin", Type: "application/octet-stream", Size: size, PartSize: envelope.PartSizeFor(size),
		Key: envelope.NewSecret(), SHA256: envelope.Sum(content)}
	rand.Read(o.OID[:])
	var parts [][]byte
	for i := range envelope.PartsOf(size) {
		start, length := o.PlainPart(i)
		part := sealPart(t, o, i, i == envelope.PartsOf(size)-1, content[start:start+length])
		parts, o.Parts = append(parts, part), append(o.Parts, envelope.Sum(part))
	}
	return o, parts
}

func sealPart(t *testing.T, o *envelope.Object, i int, last bool, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := envelope.SealPart(&b, o.Key, o.OID, uint32(i), last)
	must(t, err)
	_, err = w.Write(content)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

// TestObjectOfALiar has a member describe parts that are not what it says: each
// is refused by its name and for good.
func TestObjectOfALiar(t *testing.T) {
	s := newStage(t, 0)
	ctx, cancel := context.WithTimeout(testkit.Context(t), 5*patience)
	defer cancel()
	v, credential := s.member(ctx, t)
	session := s.open(ctx, t, v, "files", credential)
	foreign, _ := sealedFile(t, envelope.MinPartSize)
	for _, c := range []struct {
		name string
		lie  func(o *envelope.Object, parts [][]byte) [][]byte
		want envelope.Code
	}{
		{"parts swapped", func(o *envelope.Object, p [][]byte) [][]byte {
			o.Parts[0], o.Parts[1] = o.Parts[1], o.Parts[0]
			return p
		}, envelope.BadPart},
		{"part of another file", func(o *envelope.Object, p [][]byte) [][]byte {
			part := sealPart(t, foreign, 0, false, make([]byte, envelope.MinPartSize))
			o.Parts[0] = envelope.Sum(part)
			return append(p, part)
		}, envelope.BadPart},
		{"cut at a chunk", func(o *envelope.Object, p [][]byte) [][]byte {
			cut := p[1][:cobblestone.HeaderSize+9*cobblestone.SealedChunkSize]
			o.Parts[1] = envelope.Sum(cut)
			return append(p, cut)
		}, envelope.Truncated},
		{"last part in between", func(o *envelope.Object, p [][]byte) [][]byte {
			o.Parts[1] = o.Parts[2]
			return p
		}, envelope.Truncated},
		{"one part dropped", func(o *envelope.Object, p [][]byte) [][]byte {
			o.Parts = o.Parts[:2]
			return p
		}, envelope.BadObject},
		{"other content", func(o *envelope.Object, p [][]byte) [][]byte {
			o.SHA256[0] ^= 1
			return p
		}, envelope.BadObject},
		{"a path as name", func(o *envelope.Object, p [][]byte) [][]byte {
			o.Name = "../../etc/passwd"
			return p
		}, envelope.BadObject},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, parts := sealedFile(t, 2*envelope.MinPartSize+5)
			for _, part := range c.lie(o, parts) {
				_, err := v.PutBlob(ctx, part)
				must(t, err)
			}
			f := o.Frame(newFrame(nil).ID, time.Now().UnixMilli())
			e := seal(ctx, t, session, f)
			must(t, session.Publish(ctx, e.Bytes()))
			got := s.tells(ctx, t, session, c.want, e.Seq)
			if got.Kind != gateway.KindRefused || got.DID != v.DID {
				t.Errorf("%s: event %+v", c.name, got)
			}
			if strings.Contains(got.Detail, "passwd") {
				t.Errorf("%s: the event holds content", c.name)
			}
		})
	}
	ms, err := s.gateways[market.MarketOperator].Receive(ctx, client.Receive{Channel: "files", Max: 100})
	must(t, err)
	if len(ms) > 0 {
		t.Errorf("%d messages were handed over", len(ms))
	}
}

// upload sends a file from a gateway in one call.
func upload(ctx context.Context, t *testing.T, g *apiOf, to, name string, content []byte) {
	t.Helper()
	q := url.Values{"channel": {"files"}, "to": {to}, "name": {name}, "send": {"true"}}
	resp := g.do(ctx, t, http.MethodPost, "files?"+q.Encode(), content)
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		t.Fatalf("upload answered %d: %s", resp.StatusCode, b)
	}
}

// apiOf is a gateway's API, for what the client has no word for here.
type apiOf struct{ base, key string }

func (s *stage) api(name string) *apiOf {
	for _, g := range s.Gateways {
		if g.Name() == name {
			return &apiOf{g.URL() + "/api/v1/", g.APIKey()}
		}
	}
	return nil
}

func (a *apiOf) do(ctx context.Context, t *testing.T, method, path string, body []byte) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+a.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	return resp
}

// TestPartReplaced has the broker's operator swap, cut, remove and mix up the
// parts of files on their way between two honest gateways: the recipient tells
// by name, asks, and gets the true parts from the sender.
func TestPartReplaced(t *testing.T) {
	s := newStage(t, 0)
	ctx, cancel := context.WithTimeout(testkit.Context(t), 5*patience)
	defer cancel()
	reader, _ := s.member(ctx, t)
	from, to := s.api(market.NetworkOperator), s.gateways[market.MarketOperator]
	fromDID, toDID := s.dids[market.NetworkOperator], s.dids[market.MarketOperator]
	id, err := to.Identity(ctx)
	must(t, err)

	var of []byte // a part of the file before
	for _, c := range []struct {
		name   string
		attack func(first, second villain.StoredBlob, bytesOf func(villain.StoredBlob) []byte) error
	}{
		{"swapped", func(first, second villain.StoredBlob, bytesOf func(villain.StoredBlob) []byte) error {
			a, b := bytesOf(first), bytesOf(second)
			if err := s.operator.ReplaceBlob(ctx, first.Hash, b); err != nil {
				return err
			}
			return s.operator.ReplaceBlob(ctx, second.Hash, a)
		}},
		{"of another file", func(first, _ villain.StoredBlob, _ func(villain.StoredBlob) []byte) error {
			return s.operator.ReplaceBlob(ctx, first.Hash, of)
		}},
		{"cut at a chunk", func(first, _ villain.StoredBlob, bytesOf func(villain.StoredBlob) []byte) error {
			return s.operator.ReplaceBlob(ctx, first.Hash, bytesOf(first)[:cobblestone.HeaderSize+3*cobblestone.SealedChunkSize])
		}},
		{"gone", func(first, second villain.StoredBlob, _ func(villain.StoredBlob) []byte) error {
			if err := s.operator.DeleteBlob(ctx, first.Hash); err != nil {
				return err
			}
			return s.operator.DeleteBlob(ctx, second.Hash)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			content := make([]byte, 2*envelope.MinPartSize)
			rand.Read(content)
			before, err := s.operator.Blobs(ctx)
			must(t, err)
			must(t, s.operator.Pause(ctx, id.Addr))
			since, err := now(ctx, to)
			must(t, err)
			upload(ctx, t, from, toDID, c.name+".bin", content)
			var parts []villain.StoredBlob
			testkit.Eventually(t, ctx, "both parts at the broker", func() bool {
				all, err := s.operator.Blobs(ctx)
				must(t, err)
				parts = slices.DeleteFunc(all, func(b villain.StoredBlob) bool { return slices.Contains(before, b) })
				return len(parts) == 2
			})
			stored := func(b villain.StoredBlob) []byte {
				t.Helper()
				raw, err := reader.Blob(ctx, b.Hash)
				must(t, err)
				return raw
			}
			of = append(of[:0:0], stored(parts[0])...)
			if c.name == "of another file" || c.name == "swapped" {
				of = stored(parts[1])
			}
			must(t, c.attack(parts[0], parts[1], stored))
			must(t, s.operator.Resume(ctx, id.Addr))
			waitSince(ctx, t, to, since, c.name+": content_hash", func(e *gateway.Event) bool {
				return e.Code == string(envelope.ContentHash) && e.DID == fromDID
			})
			waitSince(ctx, t, to, since, c.name+": repaired", func(e *gateway.Event) bool {
				return e.Code == "repaired" && e.DID == fromDID
			})
			m := receive(ctx, t, to, "files", 1)[0]
			sum := sha256.Sum256(content)
			if m.File == nil || m.File.SHA256 != hex.EncodeToString(sum[:]) || m.File.Name != c.name+".bin" {
				t.Errorf("%s: handed over %+v", c.name, m.File)
				return
			}
			resp := s.api(market.MarketOperator).do(ctx, t, http.MethodGet, "files/"+m.File.ID+"/content", nil)
			got := sha256.New()
			_, err = io.Copy(got, resp.Body)
			must(t, err)
			resp.Body.Close()
			if !bytes.Equal(got.Sum(nil), sum[:]) {
				t.Errorf("%s: other content came", c.name)
			}
			var verdict struct{ OK bool }
			resp = s.api(market.MarketOperator).do(ctx, t, http.MethodGet, "files/"+m.File.ID+"/verify", nil)
			must(t, json.NewDecoder(resp.Body).Decode(&verdict))
			resp.Body.Close()
			if !verdict.OK {
				t.Errorf("%s: does not verify", c.name)
			}
		})
	}
}

// now returns the number of a gateway's newest event.
func now(ctx context.Context, g *client.Client) (int64, error) {
	for after := int64(0); ; {
		evs, next, err := g.Events(ctx, after, 0, "")
		if err != nil || len(evs) == 0 {
			return after, err
		}
		after = max(after, next)
	}
}

// waitSince is waitEvent from a number on.
func waitSince(ctx context.Context, t *testing.T, g *client.Client, since int64, what string, fits func(*gateway.Event) bool) gateway.Event {
	t.Helper()
	return waitEvent(ctx, t, g, what, func(e *gateway.Event) bool { return e.N > since && fits(e) })
}

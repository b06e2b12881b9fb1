package trust

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/gateway/hubclient"
	"github.com/digital-spine/spine/vc"

	"github.com/ethereum/go-ethereum/common"
)

// schema puts a schema into the directory.
func (w *world) schema(text string) *envelope.Schema {
	w.t.Helper()
	s, err := envelope.NewSchema("json", "root.json", []envelope.File{{Name: "root.json", Bytes: []byte(text)}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.broker.objects[s.Digest()] = s.Bytes()
	return s
}

// record makes a record and lists it.
func (w *world) record(s *signer, change func(*envelope.TopicBody)) *envelope.Topic {
	w.t.Helper()
	body := envelope.TopicBody{DID: s.did, Name: topicName, Version: "1.0.0", Revision: 1, Kind: "json", Schema: w.schema(`{"type":"object"}`).Digest(),
		NotBefore: t0.UnixMilli(), NotAfter: t0.Add(365 * day).UnixMilli()}
	if change != nil {
		change(&body)
	}
	t, err := envelope.NewTopic(ctx, domain, s, body)
	if err != nil {
		w.t.Fatal(err)
	}
	w.broker.mu.Lock()
	defer w.broker.mu.Unlock()
	w.broker.objects[t.Digest()] = t.Bytes()
	w.broker.records[t.Name] = append(w.broker.records[t.Name], brokerclient.Record{Version: t.Version, Revision: t.Revision, Record: t.Digest()})
	return t
}

// owner makes a party the owner of the namespace.
func (w *world) owner(seed byte) *signer {
	s := party(w.t, seed)
	w.chain.mu.Lock()
	defer w.chain.mu.Unlock()
	w.chain.owners[namespace] = s.Address()
	return s
}

func TestTopic(t *testing.T) {
	w := newWorld(t)
	a := w.owner(1)
	rec := w.record(a, nil)
	topic, err := w.book.Topic(ctx, rec.Digest(), topicName, w.now())
	if err != nil {
		t.Fatal(err)
	}
	if topic.Schema.Validate([]byte(`{}`)) != nil || topic.Schema.Validate([]byte(`1`)) == nil {
		t.Fatal("the schema does not validate")
	}
	current, err := w.book.Current(ctx, topicName, "1.0.0")
	if err != nil || current.Digest != rec.Digest() {
		t.Fatal(err)
	}
	if current, err = w.book.Current(ctx, topicName, ""); err != nil || current.Digest != rec.Digest() {
		t.Fatal(err)
	}
	_, err = w.book.Topic(ctx, rec.Digest(), "bid."+namespace, w.now())
	code(t, err, "topic")
	_, err = w.book.Topic(ctx, rec.Digest(), topicName, t0.Add(-time.Millisecond).UnixMilli())
	code(t, err, "topic")
	_, err = w.book.Topic(ctx, envelope.Digest{1}, topicName, w.now())
	code(t, err, "topic")
	if !errors.Is(err, ErrAbsent) {
		t.Fatal("an absent record is to be waited for")
	}
	_, err = w.book.Current(ctx, "other."+namespace, "")
	code(t, err, "topic")
}

func TestRecordRefusals(t *testing.T) {
	for name, make := range map[string]func(w *world) *envelope.Topic{
		"by a non-owner": func(w *world) *envelope.Topic {
			w.owner(1)
			return w.record(party(w.t, 2), nil)
		},
		"of a namespace that nobody owns": func(w *world) *envelope.Topic { return w.record(party(w.t, 2), nil) },
		"signed by another key": func(w *world) *envelope.Topic {
			a, x := w.owner(1), party(w.t, 2)
			forged := *x
			forged.did = a.did
			return w.record(&forged, nil)
		},
		"open": func(w *world) *envelope.Topic {
			return w.record(w.owner(1), func(b *envelope.TopicBody) { b.Open = true })
		},
		"unknown kind": func(w *world) *envelope.Topic {
			return w.record(w.owner(1), func(b *envelope.TopicBody) { b.Kind = "xsd" })
		},
		"schema that does not compile": func(w *world) *envelope.Topic {
			return w.record(w.owner(1), func(b *envelope.TopicBody) { b.Schema = w.schema(`{"type":7}`).Digest() })
		},
		"namespace that is not normal": func(w *world) *envelope.Topic {
			return w.record(w.owner(1), func(b *envelope.TopicBody) { b.Name = "telemetry.ma\u00adrket.apps.edge.iam.ewc" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			rec := make(w)
			_, err := w.book.Topic(ctx, rec.Digest(), rec.Name, w.now())
			code(t, err, "topic")
			if errors.Is(err, ErrAbsent) {
				t.Fatalf("final, but waits: %v", err)
			}
			_, err = w.book.Current(ctx, rec.Name, "1.0.0")
			code(t, err, "topic")
		})
	}
}

func TestSchemaBytesChanged(t *testing.T) {
	w := newWorld(t)
	rec := w.record(w.owner(1), nil)
	other := w.schema(`{"type":"string"}`)
	good := w.broker.objects[rec.Schema]
	w.broker.objects[rec.Schema] = other.Bytes()
	_, err := w.book.Topic(ctx, rec.Digest(), topicName, w.now())
	code(t, err, "topic")
	w.broker.objects[rec.Schema] = good
	w.clock.Advance(absentMax)
	if _, err := w.book.Topic(ctx, rec.Digest(), topicName, w.now()); err != nil {
		t.Fatal("the right bytes are not taken:", err)
	}
}

func TestRevisions(t *testing.T) {
	w := newWorld(t)
	a := w.owner(1)
	first := w.record(a, nil)
	if _, err := w.book.Current(ctx, topicName, "1.0.0"); err != nil {
		t.Fatal(err)
	}
	begin := t0.Add(15 * time.Minute)
	second := w.record(a, func(b *envelope.TopicBody) { b.Revision, b.Order, b.NotBefore = 2, 1, begin.UnixMilli() })
	// Not in force yet; senders read it within five minutes, and change over.
	w.clock.Advance(currentFor)
	if c, err := w.book.Current(ctx, topicName, "1.0.0"); err != nil || c.Digest != first.Digest() {
		t.Fatal(err)
	}
	w.clock.Advance(10 * time.Minute)
	if c, err := w.book.Current(ctx, topicName, "1.0.0"); err != nil || c.Digest != second.Digest() {
		t.Fatal(err)
	}
	if !w.told(Change{Topic: topicName}) {
		t.Fatal("the new record was not told")
	}
	// The old revision counts for sessions that began before, and no other.
	if _, err := w.book.Topic(ctx, first.Digest(), topicName, begin.Add(-time.Second).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	_, err := w.book.Topic(ctx, first.Digest(), topicName, begin.UnixMilli())
	code(t, err, "topic")

	// The directory hides the second: the one known before counts, in the next
	// process, too.
	w.open()
	w.broker.records[topicName] = w.broker.records[topicName][:1]
	if c, err := w.book.Current(ctx, topicName, "1.0.0"); err != nil || c.Digest != second.Digest() {
		t.Fatal(err)
	}
	_, err = w.book.Topic(ctx, first.Digest(), topicName, begin.UnixMilli())
	code(t, err, "topic")

	for name, change := range map[string]func(*envelope.TopicBody){
		"another schema under a version":    func(b *envelope.TopicBody) { b.Revision, b.Schema = 3, w.schema(`{}`).Digest() },
		"another record under a revision":   func(b *envelope.TopicBody) { b.Revision, b.Order, b.NotAfter = 2, 1, b.NotAfter-1 },
		"another record under revision one": func(b *envelope.TopicBody) { b.NotAfter-- },
	} {
		rec := w.record(a, change)
		_, err := w.book.Topic(ctx, rec.Digest(), topicName, w.now())
		if envelope.CodeOf(err) != envelope.BadTopic {
			t.Errorf("%s: %v", name, err)
		}
	}

	// Withdrawn by a revision whose window is past.
	w.record(a, func(b *envelope.TopicBody) {
		b.Revision, b.Order, b.NotBefore, b.NotAfter = 4, 1, w.now(), w.clock.Now().Add(time.Minute).UnixMilli()
	})
	w.clock.Advance(2*time.Minute + currentFor)
	_, err = w.book.Current(ctx, topicName, "1.0.0")
	code(t, err, "topic")
}

func TestOwnerChanges(t *testing.T) {
	w := newWorld(t)
	a := w.owner(1)
	rec := w.record(a, nil)
	if _, err := w.book.Topic(ctx, rec.Digest(), topicName, w.now()); err != nil {
		t.Fatal(err)
	}
	w.owner(2)
	w.chain.changed(common.Address{}, ens.Namehash(namespace))
	_, err := w.book.Topic(ctx, rec.Digest(), topicName, w.now())
	code(t, err, "topic")
	// Back again, told under the parent's node.
	w.owner(1)
	_, parent := ens.Split(namespace)
	w.chain.changed(common.Address{}, ens.Namehash(parent))
	if _, err := w.book.Topic(ctx, rec.Digest(), topicName, w.now()); err != nil {
		t.Fatal(err)
	}
	if !w.told(Change{Topic: topicName}) {
		t.Fatal("the change was not told")
	}
}

func TestTopicCreator(t *testing.T) {
	w := newWorld(t)
	w.owner(1)
	creator := party(t, 3)
	role := "topiccreator.roles." + namespace
	i := w.issuer(4)
	w.chain.roles[role] = &ens.RoleDefinition{Name: role, IssuerDIDs: []common.Address{i.Address()}}
	raw, err := vc.IssueRole(ctx, domain, i, vc.RoleCredential{Issuer: i.did, Subject: creator.did, Role: role, ValidFrom: w.now(), StatusList: i.id, StatusIndex: 5})
	if err != nil {
		t.Fatal(err)
	}
	w.hub.credentials[vc.Digest(raw)] = raw
	w.hub.of[creator.did] = []hubclient.Credential{{Digest: vc.Digest(raw), Role: role, Issuer: i.did}}
	rec := w.record(creator, nil)
	if _, err := w.book.Topic(ctx, rec.Digest(), topicName, w.now()); err != nil {
		t.Fatal(err)
	}
	// Who may not name topics any more is not believed for minutes.
	i.revoke(5, creator.did, false)
	i.freshen()
	w.book.refreshStatus(ctx, i.id)
	_, err = w.book.Topic(ctx, rec.Digest(), topicName, w.now())
	code(t, err, "topic")
}

// rival is a store in which another record of the same revision comes first.
type rival struct {
	*memory
	first Record
}

func (r *rival) PutRecord(ctx context.Context, name, version string, _ Record) error {
	return r.memory.PutRecord(ctx, name, version, r.first)
}

// Of two records of one revision that are judged at the same time, one counts.
func TestTwoRecordsOfOneRevisionAtOnce(t *testing.T) {
	w := newWorld(t)
	s := w.owner(1)
	a := w.record(s, nil)
	b := w.record(s, func(b *envelope.TopicBody) { b.NotAfter-- })
	w.book.d.Store = &rival{w.store, Record{Revision: a.Revision, Digest: a.Digest(), Raw: a.Bytes()}}
	_, err := w.book.Topic(ctx, b.Digest(), topicName, w.now())
	code(t, err, "topic")
	if _, err := w.book.Topic(ctx, a.Digest(), topicName, w.now()); err != nil {
		t.Fatal(err)
	}
}

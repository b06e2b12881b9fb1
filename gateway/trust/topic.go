package trust

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/digital-spine/spine/did/ethr"
	"github.com/digital-spine/spine/ens"
	"github.com/digital-spine/spine/envelope"
	"github.com/digital-spine/spine/gateway/brokerclient"
	"github.com/digital-spine/spine/schema"
)

// version names a version of a topic; the empty version is the newest one.
type version struct{ name, version string }

// maxCandidates bounds the records that one look-up for the one in force
// judges, and maxRevisions those of one version that are kept.
const (
	maxCandidates = 16
	maxRevisions  = 1_000
)

// Topic returns the record with digest rec after T1 to T5, for a session on
// topic name whose core begins at nbf (ms). Code topic, with ErrAbsent when the
// directory does not have the record or its schema; did_stale.
func (b *Book) Topic(ctx context.Context, rec envelope.Digest, name string, nbf int64) (*Topic, error) {
	t, err := b.record(ctx, rec)
	if err != nil {
		return nil, err
	}
	if t.Record.Name != name {
		return nil, envelope.BadTopic.Errorf("the record is of another topic")
	}
	if err := t.Record.CheckBody(nbf); err != nil {
		return nil, err
	}
	if err := b.succeeds(ctx, t, nbf); err != nil {
		return nil, err
	}
	return t, nil
}

// record fetches a record and judges it by T1 to T4; what depends on the
// session (window, T5) is left out. Cached under the sum of all its bytes.
func (b *Book) record(ctx context.Context, rec envelope.Digest) (*Topic, error) {
	raw, err := b.object(ctx, brokerclient.KindTopic, rec, envelope.BadTopic)
	if err != nil {
		return nil, err
	}
	t, err := b.judgeRecord(ctx, raw)
	if err == nil && t.Digest != rec {
		err = absent(envelope.BadTopic, "the directory served another record than "+rec.String(), nil)
	}
	if err != nil {
		b.spoilt(brokerclient.KindTopic, rec)
		return nil, err
	}
	return t, nil
}

func (b *Book) judgeRecord(ctx context.Context, raw []byte) (*Topic, error) {
	return b.records.get(ctx, envelope.Sum(raw), func(ctx context.Context) (*Topic, time.Time, error) {
		t, err := envelope.ParseTopic(raw)
		if err != nil {
			return nil, time.Time{}, envelope.BadTopic.Errorf("record: %w", err)
		}
		if err := t.CheckBody(t.NotBefore); err != nil {
			return nil, time.Time{}, err
		}
		if err := t.CheckProof(ctx, b.d.Domain, b.d.DIDs); err != nil {
			return nil, time.Time{}, waits(err)
		}
		if err := b.mayName(ctx, t); err != nil {
			return nil, time.Time{}, err
		}
		v, err := b.schema(ctx, &t.TopicBody)
		if err != nil {
			return nil, time.Time{}, err
		}
		return &Topic{Record: t, Digest: t.Digest(), Schema: v}, b.until(chainFor), nil
	})
}

// mayName is T3: the signer owns the namespace on the chain, or holds a valid
// credential as topic creator of it.
func (b *Book) mayName(ctx context.Context, t *envelope.Topic) error {
	ns := t.Namespace()
	if normal, err := ens.Normalize(ns); err != nil || normal != ns {
		return envelope.BadTopic.Errorf("the namespace is not in its normal form")
	}
	id, err := ethr.Parse(t.DID)
	if err != nil {
		return envelope.BadTopic.Errorf("signer: %w", err)
	}
	owner, err := b.owner(ctx, ns)
	if err != nil {
		return err
	}
	if owner != (common.Address{}) && owner == id.Address {
		return nil
	}
	list, err := b.d.Hub.CredentialsOf(ctx, t.DID)
	if err != nil {
		return absent(envelope.BadTopic, "the hub does not say which roles the record's signer has", err)
	}
	var why error
	role, tried := t.CreatorRole(), 0
	for _, c := range list {
		if c.Role != role || tried == envelope.MaxCreds {
			continue
		}
		tried++
		v, err := b.role(ctx, c.Digest, t.DID)
		if err == nil && v.Role == role {
			return nil
		}
		if err != nil && !isRefusal(err) {
			why = err
		}
	}
	if why != nil {
		return absent(envelope.BadTopic, "the role of the record's signer cannot be judged", why)
	}
	return envelope.BadTopic.Errorf("%s neither owns %s nor may name topics in it", t.DID, ns)
}

// owner returns who owns a namespace at the chain head, zero for nobody.
func (b *Book) owner(ctx context.Context, ns string) (common.Address, error) {
	return b.owners.get(ctx, ns, func(ctx context.Context) (common.Address, time.Time, error) {
		owner, err := b.d.Names.Owner(ctx, ns)
		if errors.Is(err, ens.ErrNotFound) {
			return common.Address{}, b.until(chainFor), nil
		}
		if err != nil {
			return owner, time.Time{}, absent(envelope.BadTopic, "the chain does not say who owns "+ns, err)
		}
		return owner, b.until(chainFor), nil
	})
}

// schema is T4. A schema is named by the hash of all its content, so what
// compiled once is kept.
func (b *Book) schema(ctx context.Context, t *envelope.TopicBody) (schema.Validator, error) {
	return b.schemas.get(ctx, t.Schema, func(ctx context.Context) (schema.Validator, time.Time, error) {
		raw, err := b.d.Broker.Object(ctx, brokerclient.KindSchema, t.Schema)
		if err != nil {
			return nil, time.Time{}, absent(envelope.BadTopic, "schema "+t.Schema.String(), err)
		}
		s, err := envelope.ParseSchema(raw)
		if err == nil {
			err = t.CheckSchema(s)
		}
		if err != nil {
			// The record is not to blame for what the directory served.
			return nil, time.Time{}, absent(envelope.BadTopic, "the directory served other bytes than schema "+t.Schema.String(), err)
		}
		files := make([]schema.File, len(s.Files))
		for i, f := range s.Files {
			files[i] = schema.File{Name: f.Name, Data: f.Bytes}
		}
		v, err := schema.Compile(s.Kind, s.Root, files)
		if err != nil {
			return nil, time.Time{}, envelope.BadTopic.Errorf("schema does not compile: %w", err)
		}
		return v, b.until(forEver), nil
	})
}

// history returns the records known of a version, highest revision first.
func (b *Book) history(ctx context.Context, v version) ([]*envelope.Topic, error) {
	return b.histories.get(ctx, v, func(ctx context.Context) ([]*envelope.Topic, time.Time, error) {
		rows, err := b.d.Store.Records(ctx, v.name, v.version)
		if err != nil {
			return nil, time.Time{}, store("read records", err)
		}
		list := make([]*envelope.Topic, 0, len(rows))
		for _, r := range rows {
			if t, err := envelope.ParseTopic(r.Raw); err == nil {
				list = append(list, t)
			}
		}
		return list, b.until(forEver), nil
	})
}

// succeeds is T5, and keeps a record that is new.
func (b *Book) succeeds(ctx context.Context, t *Topic, nbf int64) error {
	r := t.Record
	v := version{r.Name, r.Version}
	history, err := b.history(ctx, v)
	if err != nil {
		return err
	}
	if known, err := succeedsKnown(t, history, nbf); known {
		return err
	}
	if len(history) > 0 {
		if err := r.CheckSuccession(history[0], nbf); err != nil {
			return err
		}
	}
	if len(history) >= maxRevisions {
		return envelope.BadTopic.Errorf("more than %d revisions", maxRevisions)
	}
	if err := b.d.Store.PutRecord(ctx, v.name, v.version, Record{Revision: r.Revision, Digest: t.Digest, Raw: r.Bytes()}); err != nil {
		return store("keep record", err)
	}
	b.histories.drop(v)
	if len(history) > 0 && r.Revision > history[0].Revision {
		b.currents.dropIf(func(k version, _ *Topic) bool { return k.name == v.name })
		b.tell(Change{Topic: v.name})
	}
	// Another of the same revision may have been kept since the look: that stays.
	if history, err = b.history(ctx, v); err != nil {
		return err
	}
	_, err = succeedsKnown(t, history, nbf)
	return err
}

// succeedsKnown judges a record of a revision that is known.
func succeedsKnown(t *Topic, history []*envelope.Topic, nbf int64) (known bool, err error) {
	for _, old := range history {
		if old.Revision != t.Record.Revision {
			continue
		}
		if old.Digest() != t.Digest {
			return true, t.Record.CheckSuccession(old, nbf) // refuses: other bytes
		}
		if old == history[0] {
			return true, nil
		}
		return true, t.Record.CheckSuccession(history[0], nbf)
	}
	return false, nil
}

// Current returns the record of a topic that is in force now, for sending: of
// the given version, or of the highest one when it is empty. The directory is
// asked again after five minutes. Code topic; with ErrAbsent when none is known
// and the directory lists none, or does not answer.
func (b *Book) Current(ctx context.Context, name, ver string) (*Topic, error) {
	v := version{name, ver}
	t, err := b.currents.get(ctx, v, func(ctx context.Context) (*Topic, time.Time, error) { return b.inForce(ctx, v) })
	if err != nil {
		return nil, err
	}
	// The record may have been judged anew since: owner changed, DID event.
	if _, err := b.judgeRecord(ctx, t.Record.Bytes()); err != nil {
		b.currents.drop(v)
		return nil, err
	}
	return t, nil
}

// inForce finds the record of the highest revision that has begun. If its
// window is over, the version was withdrawn.
func (b *Book) inForce(ctx context.Context, v version) (*Topic, time.Time, error) {
	listed, err := b.d.Broker.Records(ctx, v.name)
	if err != nil && !errors.Is(err, brokerclient.ErrNotFound) {
		listed, err = nil, absent(envelope.BadTopic, "the directory does not answer for "+v.name, err)
	} else {
		err = nil
	}
	versions := []string{v.version}
	if v.version == "" {
		versions = newestFirst(listed)
	}
	var why error
	for _, ver := range versions {
		t, until, e := b.inForceOf(ctx, version{v.name, ver}, listed)
		if e == nil {
			return t, until, nil
		}
		if why == nil || isRefusal(why) {
			why = e
		}
	}
	switch {
	case why != nil && (err == nil || isRefusal(why)):
		return nil, time.Time{}, why
	case err != nil:
		return nil, time.Time{}, err
	}
	return nil, time.Time{}, absent(envelope.BadTopic, "no record of "+v.name+" is known", nil)
}

func (b *Book) inForceOf(ctx context.Context, v version, listed []brokerclient.Record) (*Topic, time.Time, error) {
	now := b.now()
	until := b.until(currentFor)
	slices.SortFunc(listed, func(x, y brokerclient.Record) int { return cmpUint(y.Revision, x.Revision) })
	var why error
	tried := 0
	for _, r := range listed {
		if r.Version != v.version || tried == maxCandidates {
			continue
		}
		tried++
		t, err := b.record(ctx, r.Record)
		if err != nil {
			why = errors.Join(why, err)
			continue
		}
		if t.Record.Name != v.name || t.Record.Version != v.version {
			continue // the directory lists it where it does not belong
		}
		if t.Record.NotBefore > now {
			if begin := time.UnixMilli(t.Record.NotBefore); begin.Before(until) {
				until = begin
			}
			continue
		}
		if err := b.succeeds(ctx, t, now); err != nil {
			why = errors.Join(why, err)
			continue
		}
		break
	}
	// What was seen before counts, whether the directory lists it or not.
	history, err := b.history(ctx, v)
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, r := range history {
		if r.NotBefore > now {
			continue
		}
		if now > r.NotAfter {
			return nil, time.Time{}, envelope.BadTopic.Errorf("%s %s is withdrawn or has ended", v.name, v.version)
		}
		t, err := b.judgeRecord(ctx, r.Bytes())
		if err != nil {
			return nil, time.Time{}, err
		}
		if end := time.UnixMilli(r.NotAfter); end.Before(until) {
			until = end
		}
		return t, until, nil
	}
	if why != nil {
		return nil, time.Time{}, why
	}
	return nil, time.Time{}, absent(envelope.BadTopic, fmt.Sprintf("no record of %s %s is in force", v.name, v.version), nil)
}

// newestFirst returns the versions listed, highest first, at most
// maxCandidates.
func newestFirst(listed []brokerclient.Record) []string {
	seen := make(map[string]bool)
	var list []string
	for _, r := range listed {
		if !seen[r.Version] {
			seen[r.Version] = true
			list = append(list, r.Version)
		}
	}
	slices.SortFunc(list, func(x, y string) int { return slices.Compare(numbers(y), numbers(x)) })
	return list[:min(len(list), maxCandidates)]
}

// numbers reads major.minor.patch; what is none sorts lowest.
func numbers(v string) []uint64 {
	var out []uint64
	for part := range strings.SplitSeq(v, ".") {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return nil
		}
		out = append(out, n)
	}
	return out
}

func cmpUint(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

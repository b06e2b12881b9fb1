package vc

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/digital-spine/spine/evm/eip712"
)

func sample(t testing.TB) (*party, []byte) {
	t.Helper()
	p := newParty(t, 1)
	raw, err := IssueRole(t.Context(), testDomain, p, RoleCredential{ID: "urn:uuid:0", Issuer: p.did, Subject: newParty(t, 2).did, Role: roleA,
		ValidFrom: t0 + 1, ValidUntil: t0 + 5_999, Parent: [32]byte{1}, StatusList: ListID(p.did, "1"), StatusIndex: 42})
	if err != nil {
		t.Fatal(err)
	}
	return p, raw
}

func TestRoundTrip(t *testing.T) {
	p, raw := sample(t)
	c, err := ParseRole(raw)
	if err != nil {
		t.Fatal(err)
	}
	if c.ValidFrom != t0 || c.ValidUntil != t0+5_000 || c.StatusIndex != 42 || c.Parent != [32]byte{1} || c.Role != roleA {
		t.Errorf("parsed %+v", c)
	}
	if a, err := c.Signer(testDomain); err != nil || a != p.address() {
		t.Errorf("signer %v, %v", a, err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{"@context", "id", "type", "issuer", "validFrom", "validUntil", "credentialSubject", "credentialStatus", "evidence", "proof"} {
		if doc[member] == nil {
			t.Errorf("document has no %s", member)
		}
	}
}

// The type strings are part of the protocol: a change of one makes every
// issuer sign again.
func TestTypeHashes(t *testing.T) {
	for typ, want := range map[string]string{
		roleType: "RoleCredential(string id,string issuer,string subject,string role,string validFrom,string validUntil,string parent,string statusList,uint64 statusIndex)",
		listType: "StatusList(string id,string issuer,string purpose,string validFrom,string encodedList)",
	} {
		if eip712.TypeHash(typ) != eip712.TypeHash(want) {
			t.Errorf("type %s", typ)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	_, raw := sample(t)
	s := string(raw)
	replace := func(old, with string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("sample has no %s", old)
		}
		return strings.Replace(s, old, with, 1)
	}
	for name, tc := range map[string]struct{ doc, code string }{
		"empty":                    {"", CodeMalformed},
		"null":                     {"null", CodeMalformed},
		"array":                    {"[]", CodeMalformed},
		"truncated":                {s[:len(s)-1], CodeMalformed},
		"trailing":                 {s + "{}", CodeMalformed},
		"trailing bracket":         {s + "]", CodeMalformed},
		"invalid UTF-8":            {replace("urn:uuid:0", "urn:uuid:\xff"), CodeMalformed},
		"unknown member":           {replace(`"proof":`, `"name":"x","proof":`), CodeMalformed},
		"unknown in subject":       {replace(`"role":`, `"admin":true,"role":`), CodeMalformed},
		"member twice":             {replace(`"issuer":`, `"issuer":"did:x","issuer":`), CodeMalformed},
		"role twice":               {replace(`"role":`, `"role":"x","role":`), CodeMalformed},
		"other case":               {replace(`"issuer":`, `"Issuer":`), CodeNotCanonical},
		"null evidence":            {replace(`"evidence":{"type":"RoleCredential","digest":"01`, `"evidence":null,"x":{"digest":"01`), CodeMalformed},
		"space":                    {replace(`,"type"`, `, "type"`), CodeNotCanonical},
		"final newline":            {s + "\n", CodeNotCanonical},
		"escape":                   {replace("urn:uuid:0", `urn:uuid:\u0030`), CodeNotCanonical},
		"other context":            {replace("credentials/v2", "credentials/v1"), CodeNotCanonical},
		"other type":               {replace(`"VerifiableCredential","RoleCredential"`, `"VerifiableCredential","Other"`), CodeNotCanonical},
		"other suite":              {replace(cryptosuite, "eddsa-rdfc-2022"), CodeNotCanonical},
		"other purpose":            {replace(`"statusPurpose":"revocation"`, `"statusPurpose":"suspension"`), CodeNotCanonical},
		"index as number":          {replace(`"statusListIndex":"42"`, `"statusListIndex":42`), CodeMalformed},
		"index with zero":          {replace(`"statusListIndex":"42"`, `"statusListIndex":"042"`), CodeNotCanonical},
		"index too high":           {replace(`"statusListIndex":"42"`, `"statusListIndex":"4194304"`), CodeMalformed},
		"list of another":          {replace("/status/1", "/status/"), CodeMalformed},
		"upper-case digest":        {replace(`"digest":"01`, `"digest":"0A`), CodeNotCanonical},
		"zero parent":              {replace(`"digest":"01`, `"digest":"00`), CodeNotCanonical},
		"short proof":              {replace(`"proofValue":"0x`, `"proofValue":"0x00`), CodeMalformed},
		"time with fraction":       {replace("T00:00:00Z", "T00:00:00.5Z"), CodeMalformed},
		"time with offset":         {replace("T00:00:00Z", "T00:00:00+00:00"), CodeMalformed},
		"until before from":        {replace("T00:00:05Z", "T00:00:00Z"), CodeMalformed},
		"DID in lower case":        {strings.ToLower(s), CodeMalformed},
		"role without a namespace": {replace(".roles.", ".role."), CodeMalformed},
		"deep":                     {replace(`"urn:uuid:0"`, strings.Repeat("[", 100)+strings.Repeat("]", 100)), CodeMalformed},
		"too large":                {replace("urn:uuid:0", "urn:"+strings.Repeat("x", MaxSize)), CodeTooLarge},
		"id too long":              {replace("urn:uuid:0", "urn:"+strings.Repeat("x", maxText)), CodeMalformed},
	} {
		if tc.doc == s {
			t.Errorf("%s: the sample was not changed", name)
		}
		if _, err := ParseRole([]byte(tc.doc)); codeOf(err) != tc.code {
			t.Errorf("%s: code %q, want %q: %v", name, codeOf(err), tc.code, err)
		}
	}
}

// Every byte counts: no change of a document leaves it valid and signed.
func TestEveryByteIsSigned(t *testing.T) {
	p, raw := sample(t)
	for i := range raw {
		for _, bit := range []byte{1, 0x20} {
			b := bytes.Clone(raw)
			b[i] ^= bit
			c, err := ParseRole(b)
			if err != nil {
				continue
			}
			if a, err := c.Signer(testDomain); err == nil && a == p.address() {
				t.Fatalf("bit %d of byte %d (%q) is not covered", bit, i, raw[max(0, i-20):min(len(raw), i+20)])
			}
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	p := newParty(t, 1)
	good := RoleCredential{Issuer: p.did, Subject: p.did, Role: roleA, ValidFrom: t0, StatusList: ListID(p.did, "1")}
	for name, change := range map[string]func(c *RoleCredential){
		"DID of another chain": func(c *RoleCredential) { c.Subject = strings.Replace(c.Subject, "0x539", "ewc", 1) },
		"DID in lower case":    func(c *RoleCredential) { c.Subject = strings.ToLower(c.Subject) },
		"role":                 func(c *RoleCredential) { c.Role = "aggregator" },
		"quote in role":        func(c *RoleCredential) { c.Role = `a".roles.x` },
		"list of another":      func(c *RoleCredential) { c.StatusList = ListID(newParty(t, 2).did, "1") },
		"no list":              func(c *RoleCredential) { c.StatusList = "" },
		"no start":             func(c *RoleCredential) { c.ValidFrom = 0 },
		"end before start":     func(c *RoleCredential) { c.ValidUntil = t0 - 1000 },
		"id":                   func(c *RoleCredential) { c.ID = "urn:<x>" },
	} {
		c := good
		change(&c)
		if _, err := IssueRole(t.Context(), testDomain, p, c); codeOf(err) != CodeInvalidField {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := IssueRole(t.Context(), testDomain, p, good); err != nil {
		t.Error(err)
	}
}

func TestStatusList(t *testing.T) {
	p := newParty(t, 1)
	bits := NewBitstring(0)
	for _, i := range []uint64{0, 7, 8, 131_071, 200_000} {
		if err := bits.Set(i); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := IssueList(t.Context(), testDomain, p, ListID(p.did, "main"), t0, bits)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ParseList(raw)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := l.Signer(testDomain); err != nil || a != p.address() {
		t.Errorf("signer %v, %v", a, err)
	}
	got, err := l.Bits()
	if err != nil {
		t.Fatal(err)
	}
	var set []uint64
	got.Added(nil, func(i uint64) bool { set = append(set, i); return true })
	if len(set) != 5 || set[4] != 200_000 || set[1] != 7 {
		t.Errorf("bits %v", set)
	}
	if revoked, err := got.Get(got.Len()); err == nil || revoked {
		t.Error("an index outside the list has an answer")
	}
	if _, err := ParseList([]byte(strings.Replace(string(raw), `"type":"BitstringStatusList"`, `"type":"StatusList2021"`, 1))); codeOf(err) != CodeNotCanonical {
		t.Errorf("other subject type: %v", err)
	}
	if _, err := IssueList(t.Context(), testDomain, p, "urn:list", t0, bits); codeOf(err) != CodeInvalidField {
		t.Errorf("foreign id: %v", err)
	}
	dense := NewBitstring(0)
	for i := range dense.b {
		dense.b[i] = byte(i * i >> 3)
	}
	if _, err := IssueList(t.Context(), testDomain, p, ListID(p.did, "dense"), t0, dense); err != nil {
		t.Errorf("a dense list of the least length: %v", err)
	}
}

func TestIncludes(t *testing.T) {
	a, b := NewBitstring(0), NewBitstring(0)
	_ = a.Set(5)
	_ = b.Set(5)
	_ = b.Set(200_000)
	if !b.Includes(a) || a.Includes(b) || !a.Includes(a.Clone()) {
		t.Error("Includes")
	}
	var added []uint64
	b.Added(a, func(i uint64) bool { added = append(added, i); return true })
	if len(added) != 1 || added[0] != 200_000 {
		t.Errorf("added %v", added)
	}
	if err := a.Set(MaxBits); codeOf(err) != CodeStatusList {
		t.Errorf("above the maximum: %v", err)
	}
}

func pack(b []byte) string {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = z.Write(b)
	_ = z.Close()
	return "u" + base64.RawURLEncoding.EncodeToString(out.Bytes())
}

func TestBitstringRefuses(t *testing.T) {
	good := pack(make([]byte, MinBits/8))
	if _, err := DecodeBitstring(good); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":               "",
		"no multibase":        good[1:],
		"padding":             good + "=",
		"one byte, as of old": "uH4sIAAAAAAAAA2MEABvfBaUBAAAA",
		"below the minimum":   pack(make([]byte, MinBits/8-1)),
		"bomb":                pack(make([]byte, 20<<20)),
		"not gzip":            "uAAAA",
		"cut":                 good[:len(good)-8],
		"too long":            "u" + strings.Repeat("A", MaxSize),
	} {
		if _, err := DecodeBitstring(text); codeOf(err) != CodeStatusList {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseRole(f *testing.F) {
	_, raw := sample(f)
	f.Add(raw)
	f.Add([]byte(`{"@context":[{}],"id":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseRole(raw)
		if err != nil {
			if code := codeOf(err); code != CodeMalformed && code != CodeNotCanonical && code != CodeTooLarge {
				t.Fatalf("code %q", code)
			}
			return
		}
		if !bytes.Equal(c.encode(), raw) {
			t.Fatal("accepted another encoding")
		}
		_, _ = c.Signer(testDomain)
	})
}

func FuzzParseList(f *testing.F) {
	p := newParty(f, 1)
	raw, err := IssueList(context.Background(), testDomain, p, ListID(p.did, "1"), t0, NewBitstring(0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := ParseList(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(l.encode(), raw) {
			t.Fatal("accepted another encoding")
		}
		_, _ = l.Bits()
	})
}

func FuzzBitstring(f *testing.F) {
	f.Add(NewBitstring(0).Encode())
	f.Add("uH4sIAAAAAAAAA2MEABvfBaUBAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := DecodeBitstring(text)
		if err != nil {
			return
		}
		if s.Len() < MinBits || s.Len() > MaxBits {
			t.Fatalf("%d bits", s.Len())
		}
		again, err := DecodeBitstring(s.Encode())
		if err != nil && len(s.Encode()) <= MaxSize || err == nil && !bytes.Equal(again.b, s.b) {
			t.Fatalf("does not survive its own encoding: %v", err)
		}
	})
}

-- The outbox: what was sealed, for whom, and how far broker and recipients are.

-- The one local secret of the outbox, wrapped by a key of the keyring. Message
-- ids, channel ids and the key of every sealed column come from it.
CREATE TABLE outbox_secret (
	id      BIGINT PRIMARY KEY,
	wrapped {{blob}} NOT NULL
);

-- Sessions, in the order of n. A lane group is (chan, topic). secret is S sealed
-- under the local key; core and secret go when nothing can be granted any more.
CREATE TABLE outbox_sessions (
	n         {{serial}},
	sid       {{blob}} NOT NULL UNIQUE,
	chan      {{blob}} NOT NULL,
	topic     TEXT NOT NULL,
	channel   TEXT NOT NULL,
	selection TEXT NOT NULL,
	core      {{blob}},
	secret    {{blob}},
	creds     {{blob}} NOT NULL,
	left_out  TEXT NOT NULL,
	nbf       BIGINT NOT NULL,
	naf       BIGINT NOT NULL,
	next      BIGINT NOT NULL,
	head      {{blob}} NOT NULL,
	done      BIGINT NOT NULL
);
CREATE INDEX outbox_sessions_lane ON outbox_sessions (chan, topic, n);
CREATE INDEX outbox_sessions_naf ON outbox_sessions (naf);

-- Members of a session, with two cursors: published counts what the broker has
-- stored (0 nothing, 1 the grant, 1 + n the grant and n envelopes); upto is the
-- last envelope the member's receipts cover. So no row is needed per envelope
-- and recipient. needs is the
-- first envelope the member may still ask for. told: 1 unconfirmed, 2 undelivered
-- were reported.
CREATE TABLE outbox_members (
	sid       {{blob}} NOT NULL,
	addr      TEXT NOT NULL,
	did       TEXT NOT NULL,
	inst      BIGINT NOT NULL,
	pp        BIGINT NOT NULL,
	sent      {{blob}},
	prev_sid  {{blob}},
	prev_seq  BIGINT NOT NULL,
	prev_d    {{blob}},
	prev_naf  BIGINT NOT NULL,
	published BIGINT NOT NULL,
	upto      BIGINT NOT NULL,
	refused   TEXT NOT NULL,
	missing   TEXT NOT NULL,
	needs     BIGINT NOT NULL,
	told      BIGINT NOT NULL,
	PRIMARY KEY (sid, addr)
);

-- Envelopes. bytes go when every member has receipted; d stays, receipts are
-- checked against it. ids are the message ids, 16 bytes each, in frame order.
CREATE TABLE outbox_envelopes (
	sid   {{blob}} NOT NULL,
	seq   BIGINT NOT NULL,
	d     {{blob}} NOT NULL,
	at    BIGINT NOT NULL,
	ids   {{blob}} NOT NULL,
	bytes {{blob}},
	PRIMARY KEY (sid, seq)
);

-- Messages: where each one is. sid is NULL while it waits to be sealed. sum is a
-- digest of the content, kept for messages with an idempotency key.
CREATE TABLE outbox_messages (
	id   {{blob}} PRIMARY KEY,
	chan {{blob}} NOT NULL,
	sum  {{blob}},
	at   BIGINT NOT NULL,
	sid  {{blob}},
	seq  BIGINT NOT NULL,
	idx  BIGINT NOT NULL
);

-- Frames that could not be sealed yet, sealed under the local key. code says why.
CREATE TABLE outbox_waiting (
	n         {{serial}},
	id        {{blob}} NOT NULL UNIQUE,
	chan      {{blob}} NOT NULL,
	topic     TEXT NOT NULL,
	channel   TEXT NOT NULL,
	selection TEXT NOT NULL,
	frame     {{blob}} NOT NULL,
	at        BIGINT NOT NULL,
	code      TEXT NOT NULL
);
CREATE INDEX outbox_waiting_lane ON outbox_waiting (chan, topic, n);

-- The last entry of a lane group addressed to a recipient, once its session is
-- forgotten: the next grant still has to name it.
CREATE TABLE outbox_last (
	chan  {{blob}} NOT NULL,
	topic TEXT NOT NULL,
	addr  TEXT NOT NULL,
	sid   {{blob}} NOT NULL,
	seq   BIGINT NOT NULL,
	d     {{blob}} NOT NULL,
	naf   BIGINT NOT NULL,
	PRIMARY KEY (chan, topic, addr)
);

-- The time of the newest receipt of each peer: only newer ones count.
CREATE TABLE outbox_peers (
	addr TEXT PRIMARY KEY,
	at   BIGINT NOT NULL
);

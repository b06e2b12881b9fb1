-- The outbox, continued: bodies that lie elsewhere, the log of what was sent,
-- timelines, and marks.

-- last is the time of the newest envelope, size the number of members, marked the
-- time of the last mark. steps counts timeline rows that stand for all members.
ALTER TABLE outbox_sessions ADD COLUMN last BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox_sessions ADD COLUMN size BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox_sessions ADD COLUMN marked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox_sessions ADD COLUMN steps BIGINT NOT NULL DEFAULT 0;
UPDATE outbox_sessions SET
	last = COALESCE((SELECT MAX(e.at) FROM outbox_envelopes e WHERE e.sid = outbox_sessions.sid), nbf),
	size = (SELECT COUNT(*) FROM outbox_members m WHERE m.sid = outbox_sessions.sid);
CREATE INDEX outbox_sessions_nbf ON outbox_sessions (nbf, n);
CREATE INDEX outbox_sessions_channel ON outbox_sessions (channel, nbf, n);

-- closed: 1 a mark has to tell this member that the session is at its end, 2 it
-- was told. steps counts its timeline rows.
ALTER TABLE outbox_members ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox_members ADD COLUMN steps BIGINT NOT NULL DEFAULT 0;
CREATE INDEX outbox_members_did ON outbox_members (did, sid);
CREATE INDEX outbox_members_closed ON outbox_members (sid) WHERE closed = 1;

-- about: type, size and time of each frame; NULL in rows of earlier versions.
ALTER TABLE outbox_envelopes ADD COLUMN about {{blob}};

-- held: 0 may be sealed, 1 waits for its file to reach the broker, 2 waited too
-- long and has no frame any more.
ALTER TABLE outbox_waiting ADD COLUMN held BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox_waiting ADD COLUMN file TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox_waiting ADD COLUMN type TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox_waiting ADD COLUMN size BIGINT NOT NULL DEFAULT 0;
DROP INDEX outbox_waiting_lane;
CREATE INDEX outbox_waiting_lane ON outbox_waiting (chan, topic, held, n);
CREATE INDEX outbox_waiting_at ON outbox_waiting (at, id);
CREATE INDEX outbox_waiting_file ON outbox_waiting (file) WHERE held = 1;

-- Files of messages. info is what is known of the file, sealed under the local
-- key; pushed is when its parts were at the broker; released: no message needs
-- them any more.
CREATE TABLE outbox_files (
	id       {{blob}} PRIMARY KEY,
	file     TEXT NOT NULL,
	info     {{blob}} NOT NULL,
	pushed   BIGINT NOT NULL,
	released BIGINT NOT NULL
);
CREATE INDEX outbox_files_file ON outbox_files (file);
CREATE INDEX outbox_files_live ON outbox_files (id) WHERE released = 0;

-- What happened to the envelopes of a session up to b (from a, where it matters)
-- for a member, or for all of them where addr is empty. kind: 1 at the broker,
-- 2 in custody, 3 sent again, 4 refused, 5 unconfirmed, 6 undelivered. Where
-- much happens one row stands for a quarter of a minute.
CREATE TABLE outbox_steps (
	sid  {{blob}} NOT NULL,
	addr TEXT NOT NULL,
	kind BIGINT NOT NULL,
	slot BIGINT NOT NULL,
	a    BIGINT NOT NULL,
	b    BIGINT NOT NULL,
	at   BIGINT NOT NULL,
	PRIMARY KEY (sid, kind, addr, slot, a)
);

-- What the intake remembers (ledger), what it holds for applications (inbox)
-- and how far those have read (cursors).

-- One row per sender instance that ever opened a session here, kept for ever:
-- forgotten is the latest naf + R the ledger dropped, so that a clock set back
-- cannot revive a session.
CREATE TABLE intake_sender (
  did       TEXT   NOT NULL,
  inst      BIGINT NOT NULL,
  forgotten BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (did, inst)
);

-- A lane group: sender instance, chan and topic.
CREATE TABLE intake_lane (
  id    {{serial}},
  did   TEXT   NOT NULL,
  inst  BIGINT NOT NULL,
  chan  {{blob}} NOT NULL,
  topic TEXT   NOT NULL,
  UNIQUE (did, inst, chan, topic)
);

-- A session. state: 0 unknown (named, no grant), 1 waiting, 2 open, 3 refused.
CREATE TABLE intake_session (
  id      {{serial}},
  sid     {{blob}} NOT NULL UNIQUE,
  lane    BIGINT NOT NULL,
  state   BIGINT NOT NULL,
  code    TEXT   NOT NULL,
  sender  TEXT   NOT NULL,
  core    {{blob}},
  grant_  {{blob}},
  secret  {{blob}},
  ledger  {{blob}} NOT NULL,
  info    {{blob}},
  due     BIGINT NOT NULL,
  since   BIGINT NOT NULL,
  expires BIGINT NOT NULL
);
CREATE INDEX intake_session_lane ON intake_session (lane, id);
CREATE INDEX intake_session_expires ON intake_session (expires);

-- An envelope of an open session: ledger entry and inbox row in one.
-- id = session * 2^20 + seq; pos = place in the order of handing over, absent
-- while it has to wait; body is the frames sealed under a local key.
CREATE TABLE inbox (
  id      {{serial}},
  d       {{blob}} NOT NULL,
  t       BIGINT NOT NULL,
  at      BIGINT NOT NULL,
  topic   TEXT   NOT NULL,
  pos     BIGINT,
  late    BIGINT NOT NULL,
  dek     BIGINT NOT NULL,
  size    BIGINT NOT NULL,
  verdict {{blob}},
  ids     {{blob}},
  proof   {{blob}},
  body    {{blob}}
);
CREATE INDEX inbox_pos ON inbox (pos) WHERE pos IS NOT NULL;

-- Second signed headers for a number that is held: proof of a fork.
CREATE TABLE intake_proof (
  session BIGINT NOT NULL,
  seq     BIGINT NOT NULL,
  d       {{blob}} NOT NULL,
  at      BIGINT NOT NULL,
  signed  {{blob}} NOT NULL,
  PRIMARY KEY (session, seq, d)
);

-- Wire messages that came before their session was open.
CREATE TABLE intake_parked (
  id      {{serial}},
  sid     {{blob}} NOT NULL,
  sender  TEXT   NOT NULL,
  subject TEXT   NOT NULL,
  at      BIGINT NOT NULL,
  wire    {{blob}} NOT NULL
);
CREATE INDEX intake_parked_sid ON intake_parked (sid);

-- Data keys for bodies and session secrets, wrapped by the keyring.
CREATE TABLE intake_dek (
  id      BIGINT PRIMARY KEY,
  at      BIGINT NOT NULL,
  wrapped {{blob}} NOT NULL
);

-- How far each stream of the broker was read.
CREATE TABLE intake_stream (
  stream  TEXT PRIMARY KEY,
  created BIGINT NOT NULL,
  seq     BIGINT NOT NULL
);

-- Application consumers. floor: every position up to it is acknowledged;
-- handed and handed_frame: the furthest frame ever handed over.
CREATE TABLE cursor_consumer (
  id           {{serial}},
  channel      TEXT   NOT NULL,
  name         TEXT   NOT NULL,
  floor        BIGINT NOT NULL DEFAULT 0,
  handed       BIGINT NOT NULL DEFAULT 0,
  handed_frame BIGINT NOT NULL DEFAULT -1,
  UNIQUE (channel, name)
);

-- Acknowledged frames above the floor, one bit each.
CREATE TABLE cursor_ack (
  consumer BIGINT NOT NULL,
  pos      BIGINT NOT NULL,
  bits     {{blob}} NOT NULL,
  PRIMARY KEY (consumer, pos)
);

-- Files: sealed objects whose parts lie in the gateway's blob store.

-- The key of the sealed members of file, wrapped by the keyring; one row.
CREATE TABLE file_key (
	one     BIGINT PRIMARY KEY,
	wrapped {{blob}} NOT NULL
);

CREATE TABLE file (
	n         {{serial}},
	id        TEXT NOT NULL UNIQUE,
	direction TEXT NOT NULL,
	state     TEXT NOT NULL,
	code      TEXT NOT NULL,
	size      BIGINT NOT NULL,
	bytes     BIGINT NOT NULL,
	at        BIGINT NOT NULL,
	touched   BIGINT NOT NULL,
	keep      BIGINT NOT NULL,
	pushed    BIGINT NOT NULL,
	channel   TEXT NOT NULL,
	peer      TEXT NOT NULL,
	oid       {{blob}} NOT NULL,
	inline    BIGINT NOT NULL,
	send      BIGINT NOT NULL,
	passed    {{blob}} NOT NULL,
	meta      {{blob}} NOT NULL,
	mark      {{blob}} NOT NULL,
	charged   BIGINT NOT NULL
);
CREATE UNIQUE INDEX file_received ON file (peer, oid) WHERE direction = 'in';
CREATE INDEX file_touched ON file (touched);

-- Which blobs belong to which file; idx -1 is the tail of an upload.
CREATE TABLE file_part (
	file BIGINT NOT NULL,
	idx  BIGINT NOT NULL,
	hash {{blob}} NOT NULL,
	PRIMARY KEY (file, idx)
);
CREATE INDEX file_part_hash ON file_part (hash);

CREATE TABLE file_message (
	file    BIGINT NOT NULL,
	k       BIGINT NOT NULL,
	message TEXT NOT NULL,
	PRIMARY KEY (file, k),
	UNIQUE (file, message)
);

CREATE TABLE mailboxes (
	addr    TEXT PRIMARY KEY,
	did     TEXT NOT NULL,
	inst    BIGINT NOT NULL,
	pp      BIGINT NOT NULL,
	created BIGINT NOT NULL,
	login   BIGINT NOT NULL
);
CREATE INDEX mailboxes_did ON mailboxes (did, inst);

-- Digests leave proofs out, so an entry is never replaced.
CREATE TABLE objects (
	kind     TEXT NOT NULL,
	digest   TEXT NOT NULL,
	did      TEXT NOT NULL,
	inst     BIGINT NOT NULL,
	bytes    {{blob}} NOT NULL,
	size     BIGINT NOT NULL,
	expires  BIGINT NOT NULL,
	created  BIGINT NOT NULL,
	cert     TEXT NOT NULL,
	gen      BIGINT NOT NULL,
	nbf      BIGINT NOT NULL,
	naf      BIGINT NOT NULL,
	name     TEXT NOT NULL,
	version  TEXT NOT NULL,
	revision BIGINT NOT NULL,
	schema   TEXT NOT NULL,
	PRIMARY KEY (kind, digest)
);
CREATE INDEX objects_instance ON objects (did, inst, kind, gen);
CREATE INDEX objects_name ON objects (name, version, revision);
CREATE INDEX objects_expires ON objects (expires);

CREATE TABLE usage (
	did   TEXT PRIMARY KEY,
	bytes BIGINT NOT NULL
);

CREATE TABLE floors (
	did   TEXT NOT NULL,
	inst  BIGINT NOT NULL,
	floor BIGINT NOT NULL,
	PRIMARY KEY (did, inst)
);

CREATE TABLE bans (
	addr   TEXT PRIMARY KEY,
	until  BIGINT NOT NULL,
	void_before BIGINT NOT NULL,
	reason TEXT NOT NULL
);

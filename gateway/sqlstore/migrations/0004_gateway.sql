-- Channels, events, API keys, and what this gateway issued to others.

CREATE TABLE gateway_channel (
	name TEXT PRIMARY KEY,
	rule TEXT NOT NULL
);

CREATE TABLE gateway_event (
	n    {{serial}},
	at   BIGINT NOT NULL,
	kind TEXT NOT NULL,
	code TEXT NOT NULL,
	rest TEXT NOT NULL
);

CREATE TABLE gateway_key (
	id     TEXT PRIMARY KEY,
	name   TEXT NOT NULL,
	scopes TEXT NOT NULL,
	hash   {{blob}} NOT NULL,
	at     BIGINT NOT NULL
);

CREATE TABLE issued_list (
	id        TEXT PRIMARY KEY,
	raw       {{blob}} NOT NULL,
	next      BIGINT NOT NULL,
	revision  BIGINT NOT NULL,
	published BIGINT NOT NULL
);

CREATE TABLE issued_credential (
	digest    {{blob}} PRIMARY KEY,
	subject   TEXT NOT NULL,
	role      TEXT NOT NULL,
	list      TEXT NOT NULL,
	idx       BIGINT NOT NULL,
	at        BIGINT NOT NULL,
	until     BIGINT NOT NULL,
	revoked   BIGINT NOT NULL,
	reason    TEXT NOT NULL,
	published BIGINT NOT NULL,
	enrolment TEXT NOT NULL,
	raw       {{blob}} NOT NULL,
	UNIQUE (list, idx)
);
CREATE INDEX issued_credential_subject ON issued_credential (subject, role);
CREATE INDEX issued_credential_enrolment ON issued_credential (enrolment);

CREATE TABLE owned_topic (
	name     TEXT NOT NULL,
	version  TEXT NOT NULL,
	revision BIGINT NOT NULL,
	record   {{blob}} NOT NULL,
	bundle   {{blob}} NOT NULL,
	PRIMARY KEY (name, version, revision)
);

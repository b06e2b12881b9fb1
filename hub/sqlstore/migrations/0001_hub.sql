CREATE TABLE hub_secret (
	id BIGINT PRIMARY KEY,
	secret {{blob}} NOT NULL
);
CREATE TABLE names (
	name TEXT PRIMARY KEY,
	reversed TEXT NOT NULL, -- labels in reverse order, so that what lies below a name is one range
	kind TEXT NOT NULL,
	owner TEXT NOT NULL,
	metadata TEXT NOT NULL
);
CREATE INDEX names_reversed ON names (reversed);
CREATE TABLE roles (
	name TEXT PRIMARY KEY,
	issuer_role TEXT NOT NULL,
	definition TEXT NOT NULL
);
CREATE INDEX roles_issuer_role ON roles (issuer_role);
CREATE TABLE role_issuers (
	role TEXT NOT NULL,
	did TEXT NOT NULL,
	PRIMARY KEY (did, role)
);
CREATE INDEX role_issuers_role ON role_issuers (role);
CREATE TABLE credentials (
	digest TEXT PRIMARY KEY,
	raw {{blob}} NOT NULL,
	subject TEXT NOT NULL,
	role TEXT NOT NULL,
	issuer TEXT NOT NULL,
	valid_from BIGINT NOT NULL,
	valid_until BIGINT NOT NULL,
	list TEXT NOT NULL,
	list_index BIGINT NOT NULL,
	revoked BIGINT NOT NULL,
	stored BIGINT NOT NULL
);
CREATE INDEX credentials_subject ON credentials (subject, digest);
CREATE INDEX credentials_role ON credentials (role, subject, digest);
CREATE INDEX credentials_issuer ON credentials (issuer, subject);
CREATE INDEX credentials_list ON credentials (list, list_index);
CREATE TABLE enrolments (
	id TEXT PRIMARY KEY,
	role TEXT NOT NULL,
	subject TEXT NOT NULL,
	status TEXT NOT NULL,
	digest TEXT NOT NULL,
	reason TEXT NOT NULL,
	requested BIGINT NOT NULL,
	decided BIGINT NOT NULL
);
CREATE INDEX enrolments_subject ON enrolments (subject, role);
CREATE INDEX enrolments_role ON enrolments (role, requested);
CREATE UNIQUE INDEX enrolments_open ON enrolments (subject, role) WHERE status = 'requested';
CREATE TABLE status_lists (
	id TEXT PRIMARY KEY,
	issuer TEXT NOT NULL,
	list {{blob}} NOT NULL,
	digest TEXT NOT NULL,
	freshness {{blob}} NOT NULL,
	certificate {{blob}} NOT NULL,
	revision BIGINT NOT NULL,
	at BIGINT NOT NULL,
	naf BIGINT NOT NULL
);
CREATE INDEX status_lists_issuer ON status_lists (issuer);
CREATE TABLE events (
	n {{serial}},
	type TEXT NOT NULL,
	subject TEXT NOT NULL,
	role TEXT NOT NULL,
	digest TEXT NOT NULL,
	list TEXT NOT NULL,
	at BIGINT NOT NULL
);
CREATE TABLE floors (
	did TEXT NOT NULL,
	inst BIGINT NOT NULL,
	floor BIGINT NOT NULL,
	PRIMARY KEY (did, inst)
);
CREATE TABLE nonces (
	nonce TEXT PRIMARY KEY,
	at BIGINT NOT NULL
);
CREATE INDEX nonces_at ON nonces (at);
CREATE TABLE cursors (
	name TEXT PRIMARY KEY,
	block BIGINT NOT NULL
);

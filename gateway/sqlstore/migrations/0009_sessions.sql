-- Signed-in browsers. A session is kept by the hash of its secret.

CREATE TABLE gateway_session (
	hash   {{blob}} PRIMARY KEY,
	name   TEXT NOT NULL,
	scopes TEXT NOT NULL,
	key_id TEXT NOT NULL,
	ends   BIGINT NOT NULL,
	used   BIGINT NOT NULL
);

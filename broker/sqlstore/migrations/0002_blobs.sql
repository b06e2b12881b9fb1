-- Who needs which blob until when. A blob lives as long as a row names it.
CREATE TABLE blob_claims (
	did   TEXT NOT NULL,
	hash  TEXT NOT NULL,
	size  BIGINT NOT NULL,
	until BIGINT NOT NULL,
	PRIMARY KEY (did, hash)
);
CREATE INDEX blob_claims_hash ON blob_claims (hash, until);
CREATE INDEX blob_claims_until ON blob_claims (until);

-- What each is charged: sums over its rows above.
CREATE TABLE blob_usage (
	did   TEXT PRIMARY KEY,
	bytes BIGINT NOT NULL
);

-- What people look at: names for DIDs, and events by time.

CREATE TABLE contact (
	did  TEXT PRIMARY KEY,
	name TEXT NOT NULL
);

CREATE INDEX gateway_event_at ON gateway_event (at, kind, code);

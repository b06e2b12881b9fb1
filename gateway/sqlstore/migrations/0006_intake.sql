-- Bodies and objects that travel apart from their message, the watch on lane
-- groups, and what the log of received messages is looked up by.

-- files: which file the object of a frame is here; fetched: when body or
-- objects that came apart were all here, ms.
ALTER TABLE inbox ADD COLUMN files {{blob}};
ALTER TABLE inbox ADD COLUMN fetched BIGINT;

-- The log lists what has no place in the order of handing over (it waits, was
-- refused or pruned) by its time, the rest by its place.
CREATE INDEX inbox_apart ON inbox (at, id) WHERE pos IS NULL;

-- Lane groups of which something should be heard, with their newest session.
CREATE TABLE intake_watch (
  lane BIGINT PRIMARY KEY,
  sid  {{blob}} NOT NULL
);

-- What the log is looked up by, written while nothing else is to be done: ids
-- of messages (v = row), senders and topics (v = place). k begins with its
-- kind. A row of it may outlive what it points at.
CREATE TABLE inbox_find (
  k {{blob}} NOT NULL,
  v BIGINT NOT NULL,
  PRIMARY KEY (k, v)
);

-- How far a consumer was at a time: whether and when a message was handed over
-- and acknowledged.
CREATE TABLE cursor_time (
  consumer BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  handed   BIGINT NOT NULL,
  floor    BIGINT NOT NULL
);
CREATE INDEX cursor_time_handed ON cursor_time (consumer, handed, at);
CREATE INDEX cursor_time_floor ON cursor_time (consumer, floor, at);

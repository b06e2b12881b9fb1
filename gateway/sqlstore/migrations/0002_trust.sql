-- This gateway's own papers (package gateway/identity). Keys are in the
-- keyring, under the name key_name; destroyed = 1 when the key is gone.
CREATE TABLE own_certificate (
  digest    {{blob}} NOT NULL PRIMARY KEY,
  raw       {{blob}} NOT NULL,
  key_name  TEXT   NOT NULL,
  nbf       BIGINT NOT NULL,
  naf       BIGINT NOT NULL,
  floor     BIGINT NOT NULL,
  published BIGINT NOT NULL DEFAULT 0,
  destroyed BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE own_package (
  digest      {{blob}} NOT NULL PRIMARY KEY,
  raw         {{blob}} NOT NULL,
  certificate {{blob}} NOT NULL,
  key_name    TEXT   NOT NULL,
  gen         BIGINT NOT NULL,
  nbf         BIGINT NOT NULL,
  naf         BIGINT NOT NULL,
  published   BIGINT NOT NULL DEFAULT 0,
  superseded  BIGINT NOT NULL DEFAULT 0,
  destroyed   BIGINT NOT NULL DEFAULT 0
);

-- What this gateway knows of others (package gateway/trust). Floors, gens and
-- revisions only rise. known = 0 marks strangers, of whom the oldest go.
CREATE TABLE trust_instance (
  did         TEXT   NOT NULL,
  inst        BIGINT NOT NULL,
  floor       BIGINT NOT NULL DEFAULT 0,
  gen         BIGINT NOT NULL DEFAULT 0,
  certificate {{blob}},
  package     {{blob}},
  named       {{blob}},
  known       BIGINT NOT NULL DEFAULT 0,
  seen        BIGINT NOT NULL,
  PRIMARY KEY (did, inst)
);
CREATE INDEX trust_instance_strangers ON trust_instance (known, seen);

CREATE TABLE trust_topic (
  name     TEXT   NOT NULL,
  version  TEXT   NOT NULL,
  revision BIGINT NOT NULL,
  rec      {{blob}} NOT NULL,
  raw      {{blob}} NOT NULL,
  PRIMARY KEY (name, version, revision)
);

CREATE TABLE trust_status (
  list     TEXT   NOT NULL PRIMARY KEY,
  revision BIGINT NOT NULL,
  digest   {{blob}} NOT NULL,
  seen     BIGINT NOT NULL
);
CREATE INDEX trust_status_seen ON trust_status (seen);

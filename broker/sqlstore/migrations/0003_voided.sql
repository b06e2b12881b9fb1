-- The highest floor at which the sessions of older certificates were ended.
ALTER TABLE bans ADD COLUMN floor BIGINT NOT NULL DEFAULT 0;

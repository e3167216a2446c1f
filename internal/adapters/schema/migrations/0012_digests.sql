-- +goose Up
-- Who is being told of the notices right now. A claim that has run out is nobody's any more.
CREATE TABLE IF NOT EXISTS digests (
	recipient     VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	claim         BINARY(16) NOT NULL,
	claimed_until DATETIME(6) NOT NULL
) DEFAULT CHARACTER SET utf8mb4;

-- +goose Up
-- One row per object that a user syncs, with the version of its last change. An object that is not
-- in its table is deleted. A profile's id is all zeros, all others are UUIDs of version 7.
CREATE TABLE IF NOT EXISTS changes (
	subject VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	id      BINARY(16) NOT NULL,
	kind    VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	version BIGINT UNSIGNED NOT NULL,
	PRIMARY KEY (subject, id),
	KEY changes_by_version (subject, version, id)
) DEFAULT CHARACTER SET utf8mb4;

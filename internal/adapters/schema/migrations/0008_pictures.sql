-- +goose Up
-- Every object below permanent/ in the bucket of originals has a row here, from before it is copied
-- until after it is deleted. The id is in the object's key and is never reused. States change in
-- one direction: copying, promoted, pending_deletion.
CREATE TABLE IF NOT EXISTS pictures (
	id         BINARY(16) NOT NULL PRIMARY KEY,
	owner      VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	upload     BINARY(16) NOT NULL,
	state      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	created_at DATETIME(6) NOT NULL,
	KEY pictures_by_upload (owner, upload),
	KEY pictures_by_state (owner, state, created_at)
) DEFAULT CHARACTER SET utf8mb4;

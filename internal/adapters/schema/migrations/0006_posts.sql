-- +goose Up
-- The ids of posts and comments are UUIDs of version 7, which sort by their time of creation.
CREATE TABLE IF NOT EXISTS posts (
	id              BINARY(16) NOT NULL PRIMARY KEY,
	author          VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	idempotency_key VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
	title           VARCHAR(200) NOT NULL,
	body            MEDIUMTEXT NOT NULL,
	comment_count   INT UNSIGNED NOT NULL,
	created_at      DATETIME(6) NOT NULL,
	updated_at      DATETIME(6) NOT NULL,
	UNIQUE KEY posts_by_author (author, idempotency_key)
) DEFAULT CHARACTER SET utf8mb4;

-- +goose Up
-- A post's comments are stored together, oldest first, as they are listed.
CREATE TABLE IF NOT EXISTS comments (
	post_id         BINARY(16) NOT NULL,
	id              BINARY(16) NOT NULL,
	author          VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	idempotency_key VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
	body            TEXT NOT NULL,
	created_at      DATETIME(6) NOT NULL,
	updated_at      DATETIME(6) NOT NULL,
	PRIMARY KEY (post_id, id),
	UNIQUE KEY comments_by_id (id),
	UNIQUE KEY comments_by_author (author, post_id, idempotency_key),
	FOREIGN KEY (post_id) REFERENCES posts (id)
) DEFAULT CHARACTER SET utf8mb4;

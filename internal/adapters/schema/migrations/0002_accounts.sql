-- +goose Up
-- One row a user who has written something. Whoever changes what a user syncs holds the row, and counts its version.
CREATE TABLE IF NOT EXISTS accounts (
	subject    VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	version    BIGINT UNSIGNED NOT NULL,
	deleted_at DATETIME(6) NULL
) DEFAULT CHARACTER SET utf8mb4;

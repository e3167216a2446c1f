-- +goose Up
-- One row per user who has written data. A transaction that changes what a user syncs locks the row
-- and increments its version.
CREATE TABLE IF NOT EXISTS accounts (
	subject    VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	version    BIGINT UNSIGNED NOT NULL,
	deleted_at DATETIME(6) NULL
) DEFAULT CHARACTER SET utf8mb4;

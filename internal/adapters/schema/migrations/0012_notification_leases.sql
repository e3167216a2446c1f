-- +goose Up
-- The lease of the process that is sending a recipient's mail. An expired lease has no holder.
CREATE TABLE IF NOT EXISTS notification_leases (
	recipient    VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	holder       BINARY(16) NOT NULL,
	leased_until DATETIME(6) NOT NULL
) DEFAULT CHARACTER SET utf8mb4;

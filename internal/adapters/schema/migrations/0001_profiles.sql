-- +goose Up
-- Subjects are compared byte by byte, as Cognito compares them.
CREATE TABLE IF NOT EXISTS profiles (
	subject      VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
	display_name VARCHAR(80) NOT NULL,
	bio          VARCHAR(500) NOT NULL,
	language     VARCHAR(35) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	created_at   DATETIME(6) NOT NULL,
	updated_at   DATETIME(6) NOT NULL
) DEFAULT CHARACTER SET utf8mb4;

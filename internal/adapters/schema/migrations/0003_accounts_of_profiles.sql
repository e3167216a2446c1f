-- +goose Up
-- Users who had a profile before there were accounts.
INSERT INTO accounts (subject, version)
SELECT subject, 1 FROM profiles
ON DUPLICATE KEY UPDATE version = accounts.version;

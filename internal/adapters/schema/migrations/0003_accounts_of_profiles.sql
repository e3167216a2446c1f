-- +goose Up
-- Accounts of users whose profile is older than the table accounts.
INSERT INTO accounts (subject, version)
SELECT subject, 1 FROM profiles
ON DUPLICATE KEY UPDATE version = accounts.version;

-- +goose Up
-- Profiles that there were before there were changes.
INSERT INTO changes (subject, id, kind, version)
SELECT subject, UNHEX('00000000000000000000000000000000'), 'profile', 1 FROM profiles
ON DUPLICATE KEY UPDATE version = changes.version;

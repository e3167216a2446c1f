-- +goose Up
-- Profiles that there were before there were changes. One that the previous deployment's function makes after this, until
-- it is replaced, is not synced before its user's next PUT. A repetition would help only in a later deployment than this.
INSERT INTO changes (subject, id, kind, version)
SELECT subject, UNHEX('00000000000000000000000000000000'), 'profile', 1 FROM profiles
ON DUPLICATE KEY UPDATE version = changes.version;

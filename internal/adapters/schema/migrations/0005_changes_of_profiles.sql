-- +goose Up
-- Changes of profiles that are older than the table changes. A profile that the previous
-- deployment's function creates after this migration, until it is replaced, is not synced before
-- its user's next PUT. Repeating this migration would help only in a later deployment than this
-- one.
INSERT INTO changes (subject, id, kind, version)
SELECT subject, UNHEX('00000000000000000000000000000000'), 'profile', 1 FROM profiles
ON DUPLICATE KEY UPDATE version = changes.version;

-- +goose Up
-- Whether the user wants mails about comments on his or her posts. MySQL cannot add a column only if there is none: should a
-- process die between this and the record of it, the next one says "Duplicate column name", until goose_db_version has a
-- row for version 10.
ALTER TABLE profiles ADD COLUMN comment_notifications BOOLEAN NOT NULL DEFAULT TRUE;

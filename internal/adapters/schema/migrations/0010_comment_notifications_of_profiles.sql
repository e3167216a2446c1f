-- +goose Up
-- Whether the user wants mails about comments on his or her posts. MySQL has no ADD COLUMN IF NOT
-- EXISTS: if a process ends between this statement and the record of it, the next one fails with
-- "Duplicate column name" until goose_db_version has a row for version 10.
ALTER TABLE profiles ADD COLUMN comment_notifications BOOLEAN NOT NULL DEFAULT TRUE;

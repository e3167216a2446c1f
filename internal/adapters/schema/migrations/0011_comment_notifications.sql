-- +goose Up
-- The comments that the posts' authors have not been notified of. A notification has the version
-- that the recipient's account got with the comment: notifications are numbered in the order in
-- which they are committed, and a reader that sees one sees all before it. Deleting a comment
-- deletes its notifications, for the functions of the previous deployment, which delete comments
-- and do not know notifications.
CREATE TABLE IF NOT EXISTS comment_notifications (
	recipient  VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	version    BIGINT UNSIGNED NOT NULL,
	post_id    BINARY(16) NOT NULL,
	comment_id BINARY(16) NOT NULL,
	created_at DATETIME(6) NOT NULL,
	PRIMARY KEY (recipient, version),
	KEY comment_notifications_by_comment (post_id, comment_id),
	FOREIGN KEY (post_id, comment_id) REFERENCES comments (post_id, id) ON DELETE CASCADE
) DEFAULT CHARACTER SET utf8mb4;

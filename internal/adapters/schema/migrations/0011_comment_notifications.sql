-- +goose Up
-- The comments that nobody has told the posts' authors about. A notification has the version that the recipient's account got with
-- the comment: so they are numbered in the order in which they are committed, and whoever sees one sees all before it.
-- Comments take their notifications along, for the functions of the deployment before, which delete comments and know of none.
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

-- +goose Up
-- Which post shows which picture. A promoted picture is in at least one post. Deleting a post
-- deletes its rows, for the functions of the previous deployment, which delete posts and do not
-- know pictures.
CREATE TABLE IF NOT EXISTS post_pictures (
	post_id    BINARY(16) NOT NULL,
	picture_id BINARY(16) NOT NULL,
	PRIMARY KEY (post_id, picture_id),
	KEY post_pictures_by_picture (picture_id),
	FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
	FOREIGN KEY (picture_id) REFERENCES pictures (id)
) DEFAULT CHARACTER SET utf8mb4;

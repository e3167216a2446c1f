-- +goose Up
-- Which post shows which picture: a kept one is in one post at least. Posts take their rows along, for the functions of the
-- deployment before, which delete posts and know of no pictures.
CREATE TABLE IF NOT EXISTS post_pictures (
	post_id    BINARY(16) NOT NULL,
	picture_id BINARY(16) NOT NULL,
	PRIMARY KEY (post_id, picture_id),
	KEY post_pictures_by_picture (picture_id),
	FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
	FOREIGN KEY (picture_id) REFERENCES pictures (id)
) DEFAULT CHARACTER SET utf8mb4;

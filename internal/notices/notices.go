// Package notices tells authors of the comments on their posts: many that come within minutes by one mail.
package notices

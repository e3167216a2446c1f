// Package media provisions users' pictures: the bucket that they upload to, the function that makes
// thumbnails in a second bucket, a topic with an event for each changed picture, and the delivery
// of the thumbnails through CloudFront.
//
// It makes three buckets (originals, thumbnails, access logs), a function with its queue and
// dead-letter queue, a topic with a queue and a dead-letter queue, and a distribution. The events
// are of the type ThumbnailEvent in lambdas/thumbnails/contract. Uploads below TempPrefix expire
// unless a function with GrantPromoteUploads copies them to PermanentPrefix.
//
// # Costs
//
// AWS bills nothing while nothing is uploaded or read, except for the storage. S3 bills storage and
// requests, and accelerated uploads by the GB; Lambda the function's time, which is about a second
// for a large picture; SQS and SNS requests; CloudFront requests and transferred data; EventBridge
// nothing for S3's events, but its rules' targets.
//
// # What cannot be undone
//
// The buckets are retained when the stack is deleted, unless Disposable is set, which deletes all
// pictures with the stack. A deleted picture remains in caches for up to a day. The distribution's
// domain name changes if it is replaced. A width that is removed from Widths leaves its thumbnails
// in the bucket, and a new width has thumbnails only of pictures that are uploaded afterwards.
package media

// Package website provisions a single-page app: its files in a private bucket, delivered by
// CloudFront with security headers, and with index.html at every URL of the app.
//
// It makes a bucket, a bucket of access logs, a distribution, and a function that copies the
// content into the bucket at each deployment: hashed files first, then the pages, then it
// invalidates CloudFront's cache and deletes what is no longer part of the website. Files below
// assets/ are kept for 30 days longer, for pages that were loaded earlier.
//
// # Costs
//
// CloudFront bills requests and transferred data, S3 storage and requests, and Lambda the seconds
// of a deployment. A month's first 1000 invalidated paths are free; a deployment needs a few.
//
// # What cannot be undone
//
// The content is deployed from the app, so nothing is lost with the bucket. It is versioned, and
// retained when the stack is deleted, unless Disposable is set. DNS records refer to the
// distribution's domain name, which changes if the distribution is replaced. Browsers remember for
// a year that the domain and its subdomains are only served with TLS (Strict-Transport-Security).
package website

// Package contract defines the properties of the custom resource that deploys a website's content.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite"

// HashedPrefix is the prefix of files with a hash of their content in the name, which never change.
// It is the default of the bundler Vite.
const HashedPrefix = "assets/"

// Index is the page that every website has. A single-page app shows it at every path.
const Index = "index.html"

// Superseded is the tag of hashed files that are no longer part of the website. Pages that were
// loaded earlier still request them, so the bucket's lifecycle rule deletes them later. It counts
// from when they were tagged.
const Superseded = "superseded"

// Properties are the properties of the custom resource. Its physical id is the BucketName.
type Properties struct {
	BucketName     string // contains only the website
	DistributionID string // the CloudFront distribution of the website
	AssetBucket    string // the CDK's bucket of assets
	AssetKey       string // the content in it, a zip file
}

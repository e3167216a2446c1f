// Package contract is what the function that deploys a website's content and the construct that
// declares it agree on.
package contract

// Package is the function's import path, for gofunction.Props.
const Package = "github.com/ashlar-cdk/ashlar/lambdas/resources/deploywebsite"

// HashedPrefix is where a bundler puts the files whose names have a hash of what is in them: whatever is below it never
// changes. It is Vite's.
const HashedPrefix = "assets/"

// Index is the page that every website has, and that every address of a single-page app shows.
const Index = "index.html"

// Superseded is the tag of hashed files that are no longer part of the website. Pages that were
// loaded before still ask for them, so a rule of the bucket deletes them only later, counted from
// when they got the tag.
const Superseded = "superseded"

// Properties are those of the custom resource, whose physical id is the BucketName.
type Properties struct {
	BucketName     string // holds the website, and nothing else
	DistributionID string // delivers it
	AssetBucket    string // where the CDK has put the content,
	AssetKey       string // a zip
}

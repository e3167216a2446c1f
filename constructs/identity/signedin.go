package identity

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/internal/grant"
	"github.com/ashlar-cdk/ashlar/internal/check"
)

// identityFolder is the key pattern of a client's own objects below a prefix. IAM replaces the
// variable with the client's identity id in the identity pool.
const identityFolder = "${cognito-identity.amazonaws.com:sub}/*"

// GrantSignedInReadWrite lets signed-in clients read, write and delete their own objects of the
// bucket below ProtectedPrefix and PrivatePrefix, in a folder named by the client's identity id in
// the identity pool. The amount of data is not limited. The storage class must be Standard: the
// other classes cost more for objects that are small or soon deleted, and archived objects cannot
// be read. The bucket must not need a KMS key.
//
// Amplify's default policy also lets every client read and write below public/, read all of
// protected/, and list objects. This policy does not: anyone can sign up, and could delete what
// others have written; objects for other users are delivered by a distribution; and the API hands
// out the names of objects. The policy is declared in the bucket's stack, which therefore depends
// on the user pool's.
func (i *Identity) GrantSignedInReadWrite(bucket awss3.IBucket) awsiam.Grant {
	policy := i.newSignedInPolicy("ReadWrite", bucket)
	own := i.ownObjects(bucket)
	granted := grant.To(policy, []string{"s3:GetObject", "s3:DeleteObject"}, own...)
	// IfExists, because most requests name no storage class: the parts of a multipart upload
	// cannot.
	return granted.Combine(grant.Where(policy, grant.Conditions{
		"StringEqualsIfExists": {"s3:x-amz-storage-class": "STANDARD"},
	}, []string{"s3:PutObject"}, own...))
}

// GrantSignedInRead lets signed-in clients read the objects of the bucket below their own folders
// of ProtectedPrefix and PrivatePrefix: thumbnails have the folders of the uploads they are made
// from. The bucket must not need a KMS key. The policy is declared in the bucket's stack.
func (i *Identity) GrantSignedInRead(bucket awss3.IBucket) awsiam.Grant {
	return grant.To(i.newSignedInPolicy("Read", bucket), []string{"s3:GetObject"},
		i.ownObjects(bucket)...)
}

// newSignedInPolicy declares a policy of SignedInRole in the bucket's stack. Its id has the paths
// of the identity and the bucket, and its name the stack's: a role has one policy of a name, in any
// number of stacks.
func (i *Identity) newSignedInPolicy(access string, bucket awss3.IBucket) awsiam.Policy {
	method := "GrantSignedIn" + access
	path := *i.Construct.Node().Path()
	check.Call("identity", path, method, check.NotNil("bucket", bucket, "pass an S3 bucket"))
	stack := awscdk.Stack_Of(bucket)
	inStack := strings.TrimPrefix(*bucket.Node().Path(), *stack.Node().Path())
	stage := *awscdk.Stage_Of(i.Construct).Node().Path()
	id := strings.ReplaceAll(strings.TrimPrefix(path, stage)+"SignedIn"+access+inStack, "/", "")
	check.Call("identity", path, method,
		check.That("bucket", *bucket.Node().Path(), bucket.EncryptionKey() == nil,
			"a bucket without a KMS key, which signed-in clients could not use; encrypt it with "+
				"S3's key"),
		check.That("bucket", *bucket.Node().Path(),
			stack.Node().TryFindChild(jsii.String(id)) == nil, "one call for each bucket"))
	name := awscdk.Names_UniqueResourceName(bucket, &awscdk.UniqueResourceNameOptions{
		MaxLength: jsii.Number(100),
	})
	return awsiam.NewPolicy(stack, jsii.String(id), &awsiam.PolicyProps{
		PolicyName: jsii.String(fmt.Sprintf("SignedIn%s-%s", access, *name)),
		Roles:      &[]awsiam.IRole{i.SignedInRole},
	})
}

// ownObjects returns the ARN patterns of the objects below a client's own folders.
func (i *Identity) ownObjects(bucket awss3.IBucket) []string {
	return []string{
		*bucket.ArnForObjects(jsii.String(i.protectedPrefix + identityFolder)),
		*bucket.ArnForObjects(jsii.String(i.privatePrefix + identityFolder)),
	}
}

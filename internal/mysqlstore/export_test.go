package mysqlstore

// Batch is how many comments one transaction deletes.
const Batch = batch

// The statements that read or delete more than one row, or find the first of many.
const (
	ListPosts            = listPosts
	ListComments         = listComments
	ListChanges          = listChanges
	ListCommentsOfPost   = listCommentsOfPost
	ListCommentsOfAuthor = listCommentsOfAuthor
	FirstPostOfAuthor    = firstPostOfAuthor
	FirstCommentedPost   = firstCommentedPost
	DeleteSomeChanges    = deleteSomeChanges
	DeleteSomeComments   = deleteSomeComments
	SelectPostsByID      = selectPostsByID
	SelectCommentsByID   = selectCommentsByID
	SelectPostByKey      = selectPostByKey
	SelectCommentByKey   = selectCommentByKey
)

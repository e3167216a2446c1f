package mysqlstore

// How many comments one transaction deletes, and how many changes one statement deletes.
const (
	BatchSize           = batchSize
	ChangesPerStatement = changesPerStatement
)

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
	SelectPromoted       = selectPromoted
	SelectPromotedUpload = selectPromotedUpload
	ListAbandoned        = listAbandoned
	AbandonPromotions    = abandonPromotions
	ListPendingDeletion  = listPendingDeletion
	SelectAnyPicture     = selectAnyPicture
	PurgePictures        = purgePictures
	ListPicturesOfPost   = listPicturesOfPost
	LockAvailable        = lockAvailable
	LockReferenced       = lockReferenced
	DeletePostPictures   = deletePostPictures
	MarkPromoted         = markPromoted
	MarkPendingDeletion  = markPendingDeletion
	CountNotifications   = countNotifications
	ListNotifications    = listNotifications
	DeleteNotifications  = deleteNotifications
	SelectOverdue        = selectOverdue
)

package mysqlstore

// How many comments one transaction deletes, and how many changes one statement.
const (
	Batch         = batch
	ChangesAtOnce = changesAtOnce
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
	SelectKept           = selectKept
	SelectKeptUpload     = selectKeptUpload
	ListAbandoned        = listAbandoned
	GiveUpPictures       = giveUpPictures
	ListLeaving          = listLeaving
	AnyPicture           = anyPicture
	ForgetPictures       = forgetPictures
	ListPicturesOfPost   = listPicturesOfPost
	LockStaying          = lockStaying
	LockElsewhere        = lockElsewhere
	RemovePictures       = removePictures
	MarkKept             = markKept
	MarkLeaving          = markLeaving
	CountNotifications   = countNotifications
	ListNotifications    = listNotifications
	DeleteNotifications  = deleteNotifications
	SelectOverdue        = selectOverdue
)

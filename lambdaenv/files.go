package lambdaenv

import (
	"io/fs"
	"os"
	"path/filepath"
)

// FilesFolder is the folder beside a function's executable that holds the files that its stack
// passes.
const FilesFolder = "files"

// Files returns the files that the stack passes to the function, with gofunction.Props.Files:
// texts, queries and whatever else is too long for a variable. Without any, the first read fails
// with [fs.ErrNotExist].
func Files() fs.FS {
	// The folder of the function's code: "Working with environment variables" in the AWS Lambda
	// Developer Guide.
	return os.DirFS(filepath.Join(os.Getenv("LAMBDA_TASK_ROOT"), FilesFolder))
}

package mysqlstore_test

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
)

// Sizes of the tables for the query plans. They are large enough that a full scan would not pay.
const (
	manyUsers         = 4 // so few that the optimizer is tempted to begin with their profiles
	manyPosts         = 20_000
	manyComments      = 40_000 // half of them on one post, the others one per post
	manyChanges       = 40_000 // half of them of one user
	manyNotifications = 20_000 // one per post; one in five hundred is user-1's
	manyPictures      = 20_000 // one per post; of a thousand, one is pending deletion, one copying

	// sharing is the most changes that one transaction makes, all with one version.
	sharing = mysqlstore.BatchSize + 1
)

// TestStatements_use_one_index_range_scan checks the plans of the package's statements: none scans
// a complete table or index, sorts, or creates a temporary table, and none reads many more rows
// than it returns.
func TestStatements_use_one_index_range_scan(t *testing.T) {
	s := open(t)
	if s.server.Embedded() {
		t.Skip("the embedded engine has no real optimizer; TEST_MYSQL_DSN names a server that has")
	}
	// The connection has a function's session settings.
	conn := must(s.database.Open(t).Writer.Conn(t.Context()))(t)
	t.Cleanup(func() { _ = conn.Close() })
	fillTables(t, conn)

	const limit = 50
	user, hot := "user-0", numbered(1)
	middlePost, middleComment := numbered(manyPosts/2), numbered(manyComments/4)
	const three = "(?, ?, ?)"
	id, ids := numbered(7), []any{numbered(7), numbered(700), numbered(7000)}
	for name, test := range map[string]struct {
		statement string
		args      []any
		key       string
	}{
		"posts, first page": {mysqlstore.ListPosts, []any{uuid.Max[:], limit}, "PRIMARY"},
		"posts, deep page":  {mysqlstore.ListPosts, []any{middlePost, limit}, "PRIMARY"},
		"posts, last page":  {mysqlstore.ListPosts, []any{numbered(2), limit}, "PRIMARY"},
		"comments, first page": {
			mysqlstore.ListComments, []any{hot, uuid.Nil[:], limit}, "PRIMARY",
		},
		"comments, deep page": {
			mysqlstore.ListComments, []any{hot, middleComment, limit}, "PRIMARY",
		},
		"comments, of a quiet post": {
			mysqlstore.ListComments, []any{middlePost, uuid.Nil[:], limit}, "PRIMARY",
		},
		"changes, first page": {
			mysqlstore.ListChanges, []any{user, 0, 0, uuid.Nil[:], limit}, "changes_by_version",
		},
		"changes, deep page": {
			mysqlstore.ListChanges, []any{user, 5000, 5000, numbered(10_000), limit},
			"changes_by_version",
		},
		"changes, within a version": {
			mysqlstore.ListChanges, []any{"user-1", 441, 441, numbered(442*sharing - 2), limit},
			"changes_by_version",
		},
		"changed posts":    {mysqlstore.SelectPostsByID + three, ids, "PRIMARY"},
		"changed comments": {mysqlstore.SelectCommentsByID + three, ids, "comments_by_id"},
		"post by idempotency key": {
			mysqlstore.SelectPostByKey, []any{user, "key-20"}, "posts_by_author",
		},
		"comment by idempotency key": {
			mysqlstore.SelectCommentByKey, []any{user, hot, "key-20"}, "comments_by_author",
		},
		"deletion of a post":   {mysqlstore.ListCommentsOfPost, []any{hot, limit}, "PRIMARY"},
		"deletion of comments": {mysqlstore.DeleteSomeComments + three, ids, "comments_by_id"},
		"deletion of posts":    {mysqlstore.FirstPostOfAuthor, []any{user}, "posts_by_author"},
		"deletion of a user's comments": {
			mysqlstore.FirstCommentedPost, []any{user}, "comments_by_author",
		},
		"deletion of a user's comments on a post": {
			mysqlstore.ListCommentsOfAuthor, []any{user, hot, limit}, "comments_by_author",
		},
		"deletion of a user's changes": {
			mysqlstore.DeleteSomeChanges, []any{user, limit}, "PRIMARY",
		},
		"deletion of posts, none left": {
			mysqlstore.FirstPostOfAuthor, []any{"unknown"}, "posts_by_author",
		},
		"picture by its key": {mysqlstore.SelectPromoted, []any{id, "user-3"}, "PRIMARY"},
		"picture by its upload": {
			mysqlstore.SelectPromotedUpload, []any{"user-3", id}, "pictures_by_upload",
		},
		"abandoned promotions": {
			mysqlstore.ListAbandoned, []any{"user-1", 60, limit}, "pictures_by_state",
		},
		"abandon promotions": {mysqlstore.AbandonPromotions + three, ids, "PRIMARY"},
		"pictures pending deletion": {
			mysqlstore.ListPendingDeletion, []any{user, limit}, "pictures_by_state",
		},
		"any picture": {mysqlstore.SelectAnyPicture, []any{user}, ""},
		"purge of pictures": {
			mysqlstore.PurgePictures + three, []any{numbered(1000), numbered(2000), numbered(3000)},
			"PRIMARY",
		},
		"pictures of a post": {mysqlstore.ListPicturesOfPost, []any{id}, "PRIMARY"},
		"lock of available pictures": {
			mysqlstore.LockAvailable + three + " FOR UPDATE", append([]any{user}, ids...),
			"PRIMARY",
		},
		"lock of available pictures, few": {
			mysqlstore.LockAvailable + three + " FOR UPDATE", append([]any{"unknown"}, ids...),
			"PRIMARY",
		},
		"pictures of other posts": {
			mysqlstore.LockReferenced + three + " FOR UPDATE", ids, "post_pictures_by_picture",
		},
		"removal of pictures from a post": {
			mysqlstore.DeletePostPictures + three, append([]any{id}, ids...), "",
		},
		"promotion of pictures":  {mysqlstore.MarkPromoted + three, ids, "PRIMARY"},
		"notifications, counted": {mysqlstore.CountNotifications, []any{0, "user-1"}, "PRIMARY"},
		"notifications, listed": {
			mysqlstore.ListNotifications, []any{"user-1", notifications.MaxComments}, "PRIMARY",
		},
		"notifications, listed of many": {
			mysqlstore.ListNotifications, []any{"user-0", notifications.MaxComments}, "PRIMARY",
		},
		"notifications, acknowledged": {
			mysqlstore.DeleteNotifications, []any{"user-1", 100}, "PRIMARY",
		},
		"notifications, overdue": {
			mysqlstore.SelectOverdue, []any{"user-0", 10 * 60 * 1e6}, "PRIMARY",
		},
		"pictures become pending deletion": {
			mysqlstore.MarkPendingDeletion + three, ids, "PRIMARY",
		},
	} {
		t.Run(name, func(t *testing.T) {
			checkPlan(t, conn, test.statement, test.args, test.key)
			read := rowsRead(t, conn, test.statement, test.args)
			t.Logf("reads %d rows", read)
			if read > 2*limit+5 { // plus the authors' names
				t.Errorf("reads %d rows for a page of %d", read, limit)
			}
		})
	}
}

// checkPlan checks that the first table is read through a range of the index key, or of any index
// when key is empty, and further tables row by row through a primary key.
func checkPlan(t *testing.T, conn *sql.Conn, statement string, args []any, key string) {
	t.Helper()
	plan := query(t, conn, "EXPLAIN "+statement, args...)
	if len(plan) == 0 || plan[0]["key"] != key && key != "" {
		t.Errorf("want the index %s first", key)
	}
	for i, step := range plan {
		first := slices.Contains([]string{"range", "ref", "const"}, step["type"])
		if i == 0 && !first || i > 0 && step["type"] != "eq_ref" && step["type"] != "const" {
			t.Errorf("table %s is read by %s", step["table"], step["type"])
		}
		for _, costly := range []string{"filesort", "temporary", "join buffer"} {
			if strings.Contains(step["Extra"], costly) {
				t.Errorf("table %s: %s", step["table"], step["Extra"])
			}
		}
	}
	if t.Failed() {
		t.Logf("%s\n%v", statement, plan)
	}
}

// rowsRead runs a statement, rolls it back, and returns how many rows or index entries the server
// has read.
func rowsRead(t *testing.T, conn *sql.Conn, statement string, args []any) int {
	t.Helper()
	read := func() (rows int) {
		t.Helper()
		for _, counter := range query(t, conn, "SHOW SESSION STATUS LIKE 'Handler_read%'") {
			rows += must(strconv.Atoi(counter["Value"]))(t)
		}
		return rows
	}
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	run("BEGIN")
	defer run("ROLLBACK")
	first := read()
	second := read() // includes the reads of reading the counters
	run(statement, args...)
	return read() - second - (second - first)
}

// query returns rows as maps by column name.
func query(
	t *testing.T, conn *sql.Conn, statement string, args ...any,
) (found []map[string]string) {
	t.Helper()
	rows := must(conn.QueryContext(t.Context(), statement, args...))(t)
	defer rows.Close()
	names := must(rows.Columns())(t)
	for rows.Next() {
		values, targets := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			targets[i] = &values[i]
		}
		ok(t, rows.Scan(targets...))
		row := map[string]string{}
		for i, name := range names {
			row[name] = values[i].String
		}
		found = append(found, row)
	}
	ok(t, rows.Err())
	return found
}

// numbered returns an id that sorts by its number.
func numbered(n int) []byte {
	id := make([]byte, 16)
	binary.BigEndian.PutUint64(id, uint64(n))
	return id
}

func fillTables(t *testing.T, conn *sql.Conn) {
	t.Helper()
	author := func(i int) string { return fmt.Sprint("user-", i%manyUsers) }
	insert := func(table string, n int, row func(i int) []any) {
		t.Helper()
		const atOnce = 1000
		for from := 1; from <= n; from += atOnce {
			var marks []string
			var values []any
			for i := from; i < from+atOnce && i <= n; i++ {
				one := row(i)
				marks = append(marks, "(?"+strings.Repeat(", ?", len(one)-1)+")")
				values = append(values, one...)
			}
			statement := "INSERT INTO " + table + " VALUES " + strings.Join(marks, ", ")
			if _, err := conn.ExecContext(t.Context(), statement, values...); err != nil {
				t.Fatal(err)
			}
		}
		query(t, conn, "ANALYZE TABLE "+table)
	}
	now, body := "2026-11-01", strings.Repeat("stone ", 20)
	insert("profiles", manyUsers, func(i int) []any {
		return []any{author(i), "Name", "", "", now, now, true}
	})
	insert("posts", manyPosts, func(i int) []any {
		return []any{numbered(i), author(i), fmt.Sprint("key-", i), "Title", body, 0, now, now}
	})
	insert("comments", manyComments, func(i int) []any {
		post := 1
		if i > manyComments/2 {
			post = i - manyComments/2
		}
		return []any{numbered(post), numbered(i), author(i), fmt.Sprint("key-", i), body, now, now}
	})
	insert("comment_notifications", manyNotifications, func(i int) []any {
		recipient := author(2 * i)
		if i%500 == 0 {
			recipient = "user-1"
		}
		return []any{recipient, i, numbered(i), numbered(manyComments/2 + i), now}
	})
	insert("changes", manyChanges, func(i int) []any {
		switch {
		case i <= manyChanges/2:
			return []any{"user-0", numbered(i), "post", i / 2} // two per version
		case i <= manyChanges/2+5000:
			return []any{"user-1", numbered(i), "post", i / sharing}
		default:
			return []any{fmt.Sprint("user-", 2+i%(manyUsers-2)), numbered(i), "post", i}
		}
	})
	insert("pictures", manyPictures, func(i int) []any {
		state := "promoted"
		switch i % 1000 {
		case 0:
			state = "pending_deletion"
		case 1:
			state = "copying"
		}
		return []any{numbered(i), author(i), numbered(i), state, now}
	})
	// No post shows a picture that is pending deletion.
	insert("post_pictures", manyPictures/2, func(i int) []any {
		return []any{numbered(2*i - 1), numbered(2*i - 1)}
	})
}

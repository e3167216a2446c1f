package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema/migrations"
	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/dynamodbtest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/testing/smtptest"
	"github.com/ashlar-cdk/ashlar/internal/testing/sqstest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/notifications/contract"
	"github.com/ashlar-cdk/ashlar/lambdatest"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

const (
	pool        = "eu-central-1_EXAMPLE"
	tokenKeyARN = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:token-key"
	endpoint    = "https://api.example.com/v1/"

	// timeout is the timeout of the deployed function.
	timeout = time.Minute

	// leaseDuration is as short as possible: it limits how long a call can hang.
	leaseDuration = email.MinLease
)

// A platform is the built function with the services that it uses.
type platform struct {
	server      *mysqltest.Server
	database    *mysqltest.Database
	posts       *mysqlstore.Posts
	profiles    *mysqlstore.Profiles
	secrets     *awstest.SecretsManager
	cognito     *awstest.Cognito
	dynamodb    *dynamodbtest.Server
	list        *dynamodbstore.MailingList
	ses         *awstest.SES
	mailbox     *smtptest.Server
	bootstrap   string
	environment map[string]string
	fn          *lambdatest.Function

	users []awstest.CognitoUser
	read  int // number of mails that tests have read
}

func startPlatform(t *testing.T) *platform {
	t.Helper()
	server := mysqltest.Start(t)
	p := &platform{
		server:    server,
		database:  server.NewDatabase(t),
		secrets:   awstest.StartSecretsManager(t),
		cognito:   awstest.StartCognito(t, pool),
		dynamodb:  dynamodbtest.Start(t),
		mailbox:   smtptest.Start(t),
		bootstrap: lambdatest.Build(t, contract.Package),
	}
	p.ses = awstest.StartSES(t, "example.com", "mails", p.mailbox.Address)
	databases := p.database.Open(t)
	if _, err := schema.Up(t.Context(), databases.Writer, migrations.Files); err != nil {
		t.Fatal(err)
	}
	p.posts, p.profiles = mysqlstore.NewPosts(databases), mysqlstore.NewProfiles(databases)
	settings := contract.Settings{
		Database:         p.database.Settings(),
		UserPoolID:       pool,
		TokenKeyARN:      tokenKeyARN,
		Table:            p.dynamodb.NewMailingList(t),
		From:             "Ashlar <hello@example.com>",
		ConfigurationSet: "mails",
		Endpoint:         endpoint,
		Website:          "https://app.example.com",
		Window:           window,
		LeaseDuration:    leaseDuration,
	}
	p.list = &dynamodbstore.MailingList{Table: settings.Table, API: p.dynamodb.Client}
	p.secrets.PutSecret(settings.Database.SecretARN, p.database.Secret())
	p.secrets.PutSecret(tokenKeyARN, "the key of tokens, of many characters")
	var err error
	p.environment, err = lambdaenv.Encode(settings)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(p.environment, p.endpoints())
	p.fn = p.newFunction(t)
	return p
}

// separate returns a platform with the same database and separate services: its faults do not
// affect other tests.
func (p *platform) separate(t *testing.T) *platform {
	t.Helper()
	other := &platform{
		server:      p.server,
		database:    p.database,
		posts:       p.posts,
		profiles:    p.profiles,
		secrets:     p.secrets,
		cognito:     awstest.StartCognito(t, pool),
		dynamodb:    dynamodbtest.Start(t),
		mailbox:     smtptest.Start(t),
		list:        p.list,
		bootstrap:   p.bootstrap,
		environment: maps.Clone(p.environment),
	}
	other.ses = awstest.StartSES(t, "example.com", "mails", other.mailbox.Address)
	maps.Copy(other.environment, other.endpoints())
	other.fn = other.newFunction(t)
	t.Cleanup(func() { other.checkLogs(t) })
	return other
}

// endpoints returns the settings of the SDK and the MySQL client.
func (p *platform) endpoints() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER":           p.secrets.URL,
		"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": p.cognito.URL,
		"AWS_ENDPOINT_URL_DYNAMODB":                  p.dynamodb.URL,
		"AWS_ENDPOINT_URL_SESV2":                     p.ses.URL,
		"SSL_CERT_FILE":                              p.server.CAFile,
	}
}

// newFunction returns another process of the function.
func (p *platform) newFunction(t *testing.T) *lambdatest.Function {
	t.Helper()
	return lambdatest.New(t, p.bootstrap, p.environment)
}

// signUp creates a user with a profile, an address and a preferred language.
func (p *platform) signUp(t *testing.T, name, language string) (subject string) {
	t.Helper()
	subject = uuid.NewString()
	profile := accounts.Profile{Subject: subject, DisplayName: name, Language: language}
	if _, err := p.profiles.Put(t.Context(), profile, nil); err != nil {
		t.Fatal(err)
	}
	p.users = append(p.users, awstest.CognitoUser{
		Username: "google_" + subject,
		Status:   "EXTERNAL_PROVIDER",
		Attributes: map[string]string{
			"sub": subject, "email": address(subject), "email_verified": "true",
		},
	})
	p.cognito.SetUsers(p.users...)
	return subject
}

func address(subject string) string { return "Secret." + subject + "@example.org" }

// window is the delay of the deployed queue.
const window = 5 * time.Minute

// comment creates a post of author with comments of commenter, a window ago.
func (p *platform) comment(
	t *testing.T, author, commenter string, bodies ...string,
) posts.Post {
	t.Helper()
	draft := posts.Draft{Title: "A confidential wall", Body: "<p>Stones.</p>"}
	post, err := p.posts.Create(t.Context(), author, "", draft)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range bodies {
		if _, err := p.posts.CreateComment(t.Context(), commenter, "", post.ID, body); err != nil {
			t.Fatal(err)
		}
	}
	p.age(t, author, window)
	return post
}

// age makes all notifications of a recipient older.
func (p *platform) age(t *testing.T, recipient string, by time.Duration) {
	t.Helper()
	p.admin(t, "UPDATE comment_notifications SET created_at = created_at - INTERVAL ? SECOND "+
		"WHERE recipient = ?", int(by.Seconds()), recipient)
}

func messageFor(recipient string) string { return `{"recipient":"` + recipient + `"}` }

// send invokes the function with a batch, and returns the positions of the messages to be retried.
func (p *platform) send(t *testing.T, fn *lambdatest.Function, bodies ...string) []int {
	t.Helper()
	retried, err := sqstest.Invoke(t.Context(), fn, sqstest.Messages(bodies...), timeout)
	if err != nil {
		t.Fatalf("%v\n%s", err, fn.Logs())
	}
	return retried
}

// succeed invokes the function with a batch, and fails the test if a message is to be retried.
func (p *platform) succeed(t *testing.T, bodies ...string) {
	t.Helper()
	if retried := p.send(t, p.fn, bodies...); len(retried) > 0 {
		t.Fatalf("messages %v of %d are retried\n%s", retried, len(bodies), p.fn.Logs())
	}
}

// fail invokes the function with a message, and fails the test unless it is to be retried.
func (p *platform) fail(t *testing.T, body string) {
	t.Helper()
	if retried := p.send(t, p.fn, body); len(retried) != 1 {
		t.Fatalf("the message is not retried\n%s", p.fn.Logs())
	}
}

// mails returns the mails that arrived since the last call.
func (p *platform) mails(t *testing.T) []smtptest.Mail {
	t.Helper()
	all := p.mailbox.Mails(t)
	since := all[p.read:]
	p.read = len(all)
	return since
}

// mail returns the only mail that arrived since the last call.
func (p *platform) mail(t *testing.T) smtptest.Mail {
	t.Helper()
	mails := p.mails(t)
	if len(mails) != 1 {
		t.Fatalf("%d mails, want one\n%s", len(mails), p.fn.Logs())
	}
	return mails[0]
}

// unsent returns the number of notifications of a recipient.
func (p *platform) unsent(t *testing.T, recipient string) (n int) {
	t.Helper()
	query := "SELECT COUNT(*) FROM " + p.database.Name +
		".comment_notifications WHERE recipient = ?"
	if err := p.server.Admin.QueryRow(query, recipient).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// admin changes the database directly, without the store.
func (p *platform) admin(t *testing.T, statement string, args ...any) {
	t.Helper()
	for _, table := range []string{
		"comment_notifications", "notification_leases", "accounts", "profiles",
	} {
		qualified := p.database.Name + "." + table
		statement = strings.ReplaceAll(statement, " "+table+" ", " "+qualified+" ")
	}
	if _, err := p.server.Admin.Exec(statement, args...); err != nil {
		t.Fatal(err)
	}
}

// checkLogged fails the test unless the log contains text after the position start.
func (p *platform) checkLogged(t *testing.T, start int, text string) {
	t.Helper()
	if log := p.fn.Logs()[start:]; !strings.Contains(log, text) {
		t.Errorf("the log lacks %q:\n%s", text, log)
	}
}

func TestBootstrap(t *testing.T) {
	p := startPlatform(t)
	eve := p.signUp(t, "Eve Incognito", "en")

	t.Run("sends a mail about a comment", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "en-GB")
		post := p.comment(t, ada, eve, "<p>Cut &amp; true <script>.</p>")
		p.succeed(t, messageFor(ada))
		mail := p.mail(t)
		if len(mail.To) != 1 || mail.To[0] != address(ada) ||
			mail.Header.Get("To") != address(ada) {
			t.Errorf("the mail is to %s and %s", mail.To, mail.Header.Get("To"))
		}
		if mail.Header.Get("From") != `"Ashlar" <hello@example.com>` ||
			mail.Subject != "New comment on “A confidential wall”" {
			t.Errorf("from %s, %q", mail.Header.Get("From"), mail.Subject)
		}
		for name, part := range map[string]string{"text": mail.Text, "HTML": mail.HTML} {
			for _, want := range []string{
				"A confidential wall", "https://app.example.com/posts/" + post.ID.String(),
				"Eve Incognito",
			} {
				if !strings.Contains(part, want) {
					t.Errorf("the %s lacks %q:\n%s", name, want, part)
				}
			}
		}
		if !strings.Contains(mail.Text, "Eve Incognito: Cut & true") ||
			!strings.Contains(mail.HTML, "Cut &amp; true") {
			t.Errorf("text\n%s\nHTML\n%s", mail.Text, mail.HTML)
		}
		unsubscribe := strings.Trim(mail.Header.Get("List-Unsubscribe"), "<>")
		if mail.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" ||
			!strings.Contains(mail.Text, unsubscribe) ||
			!strings.Contains(mail.HTML, unsubscribe) {
			t.Errorf("headers %v", mail.Header)
		}
		sealed, found := strings.CutPrefix(unsubscribe, endpoint+"notification-settings/")
		sealer := token.NewSealer(tokenKeyARN, key{}, time.Now)
		opened, err := (&links.Links{Tokens: sealer}).OpenNotificationSettings(t.Context(), sealed)
		want := links.NotificationSettings{Subject: ada, Language: "en"}
		if !found || err != nil || opened != want {
			t.Errorf("the link to unsubscribe, %s, is for %+v, %v", unsubscribe, opened, err)
		}
		if p.unsent(t, ada) != 0 {
			t.Error("the notification was not deleted")
		}
		p.succeed(t, messageFor(ada), messageFor(ada), messageFor(eve))
		if mails := p.mails(t); len(mails) > 0 {
			t.Errorf("%d more mails, want none", len(mails))
		}
	})

	t.Run("waits for the window of a new comment", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.comment(t, ada, eve, "x")
		p.age(t, ada, -10*time.Second)
		p.succeed(t, messageFor(ada))
		if mails := p.mails(t); len(mails) > 0 || p.unsent(t, ada) != 1 {
			t.Errorf("%d mails, %d notifications; want no mail yet", len(mails), p.unsent(t, ada))
		}
		p.age(t, ada, 10*time.Second)
		p.succeed(t, messageFor(ada))
		p.mail(t)
	})

	t.Run("sends one mail about a burst, in Korean", func(t *testing.T) {
		ada := p.signUp(t, "에이다", "ko-KR")
		var bodies []string
		for i := range notifications.MaxComments + 3 {
			bodies = append(bodies, fmt.Sprintf("댓글 %d!", i))
		}
		p.comment(t, ada, eve, bodies...)
		p.succeed(t, slices.Repeat([]string{messageFor(ada)}, 10)...)
		mail := p.mail(t)
		if mail.Subject != "“A confidential wall” 글에 새 댓글 23개" ||
			strings.Count(mail.Text, "댓글 ") != notifications.MaxComments+2 ||
			!strings.Contains(mail.HTML, "외 3개") {
			t.Errorf("%q\n%s", mail.Subject, mail.Text)
		}
		if p.unsent(t, ada) != 0 {
			t.Error("not all notifications were deleted")
		}
	})

	t.Run("deletes notifications of users without mails", func(t *testing.T) {
		checkUsersWithoutMails(t, p, eve)
	})

	t.Run("retries only invalid messages of a batch", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.comment(t, ada, eve, "x")
		before := len(p.fn.Logs())
		invalid := []string{
			"", "no JSON", "{}", `{"recipient":""}`, `{"recipient":7}`, `{"overdue":false}`,
			"null", `["ada"]`,
			`{"Type":"Notification","Message":"{\"recipient\":\"` + ada + `\"}"}`,
		}
		for _, at := range []int{0, 4, len(invalid)} {
			batch := slices.Insert(slices.Clone(invalid), at, messageFor(ada))
			retried := p.send(t, p.fn, batch...)
			if len(retried) != len(invalid) || slices.Contains(retried, at) {
				t.Errorf("valid message at %d: messages %v are retried", at, retried)
			}
		}
		p.mail(t)
		p.checkLogged(t, before, "neither recipient nor overdue")
		p.succeed(t, // recipients without notifications
			messageFor("unknown"), messageFor(strings.Repeat("x", 1000)), messageFor(`' OR 1=1 --`))
	})

	t.Run("sends overdue mails", func(t *testing.T) {
		overdue, recent := p.signUp(t, "Ada", ""), p.signUp(t, "Bob", "")
		for _, author := range []string{overdue, recent} {
			p.comment(t, author, eve, "x", "y")
		}
		p.succeed(t, `{"overdue":true}`)
		if mails := p.mails(t); len(mails) > 0 {
			t.Errorf("%d mails, want none yet", len(mails))
		}
		p.age(t, overdue, window+time.Second)
		p.age(t, recent, window-100*time.Second)
		p.succeed(t, `{"overdue":true}`, `{"overdue":true}`)
		if mail := p.mail(t); mail.To[0] != address(overdue) {
			t.Errorf("the mail is to %s", mail.To)
		}
		p.succeed(t, messageFor(recent))
		p.mail(t)
	})

	t.Run("sends one mail from two concurrent functions", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.comment(t, ada, eve, "x")
		other := p.newFunction(t)
		var waiting sync.WaitGroup
		p.ses.BeforeAnswer(func(string) { // while the first function waits for SES
			p.ses.BeforeAnswer(nil)
			if retried := p.send(t, other, messageFor(ada)); len(retried) != 1 {
				t.Error("the second message is not retried, though the first function may die")
			}
		})
		waiting.Go(func() { p.succeed(t, messageFor(ada)) })
		waiting.Wait()
		p.mail(t)
		if retried := p.send(t, other, messageFor(ada)); len(retried) > 0 || len(p.mails(t)) > 0 {
			t.Errorf("messages %v are retried, or there is a second mail", retried)
		}
	})

	t.Run("faults", func(t *testing.T) { checkFaults(t, p, eve) })

	p.checkLogs(t)
	awstest.CheckActions(t, "calls.txt", slices.Concat(
		p.secrets.Calls(), p.cognito.Calls(), p.dynamodb.Calls(), p.ses.Calls()))
}

// checkLogs fails the test unless one process handled all messages, and its log is JSON without
// personal data and secrets.
func (p *platform) checkLogs(t *testing.T) {
	t.Helper()
	if processes := p.fn.Processes(); processes != 1 {
		t.Errorf("%d processes, want 1\n%s", processes, p.fn.Logs())
	}
	logs := p.fn.Logs()
	for line := range strings.Lines(logs) {
		if !json.Valid([]byte(line)) || strings.Count(line, `"message":`) != 1 {
			t.Errorf("a log line is not JSON with one message: %s", line)
		}
	}
	for _, user := range p.users {
		if subject := user.Attributes["sub"]; strings.Contains(logs, subject) {
			t.Errorf("the log contains the subject or the address of %s", subject)
		}
	}
	for _, secret := range []string{
		"example.org", "Incognito", "confidential", "notification-settings/",
		p.database.Password(), "the key of tokens",
	} {
		if strings.Contains(logs, secret) {
			t.Errorf("the log contains %q:\n%s", secret, logs)
		}
	}
}

func checkUsersWithoutMails(t *testing.T, p *platform, eve string) {
	change := func(subject string, change func(*awstest.CognitoUser)) {
		for i := range p.users {
			if p.users[i].Attributes["sub"] == subject {
				change(&p.users[i])
			}
		}
		p.cognito.SetUsers(p.users...)
	}
	for name, exclude := range map[string]func(subject string){
		"has disabled these mails": func(subject string) {
			if err := p.profiles.SetCommentNotifications(t.Context(), subject, false); err != nil {
				t.Fatal(err)
			}
		},
		"has no profile": func(subject string) {
			p.admin(t, "DELETE FROM profiles WHERE subject = ?", subject)
		},
		"is deleting the account": func(subject string) {
			p.admin(t, "UPDATE accounts SET deleted_at = UTC_TIMESTAMP(6) WHERE subject = ?",
				subject)
		},
		"has no verified address": func(subject string) {
			change(subject, func(user *awstest.CognitoUser) {
				user.Attributes["email_verified"] = "false"
			})
		},
		"is disabled": func(subject string) {
			change(subject, func(user *awstest.CognitoUser) { user.Disabled = true })
		},
		"was deleted": func(subject string) {
			change(subject, func(user *awstest.CognitoUser) { user.Attributes["sub"] = "another" })
		},
		"has complained": func(subject string) {
			key := strings.ToLower(address(subject))
			if err := p.list.Suppress(t.Context(), key, "complaint", time.Now()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ada := p.signUp(t, "Ada", "")
			p.comment(t, ada, eve, "x")
			exclude(ada)
			sent := len(p.ses.Calls())
			p.succeed(t, messageFor(ada))
			if mails := p.mails(t); len(mails) > 0 || len(p.ses.Calls()) != sent {
				t.Errorf("%d mails, %d calls of SES", len(mails), len(p.ses.Calls())-sent)
			}
			if p.unsent(t, ada) != 0 {
				t.Error("the notification was not deleted")
			}
		})
	}
}

func checkFaults(t *testing.T, p *platform, eve string) {
	// Most of these tests wait for timeouts, and all packages with a database wait for this one.
	var waiting sync.WaitGroup
	concurrently := func(name string, test func(*testing.T)) {
		waiting.Go(func() { t.Run(name, test) })
		if p.server.Embedded() {
			waiting.Wait() // the embedded server has no locks
		}
	}
	// After a lasting fault of SES, the notifications remain, and a later message sends the mail
	// immediately.
	for name, fault := range map[string]awstest.Fault{
		"daily quota exceeded": {
			Status: 429, Code: "TooManyRequestsException", Reason: "Daily message quota exceeded.",
		},
		"sending is paused": {
			Status: 400, Code: "SendingPausedException", Reason: "Email sending is paused.",
		},
		"account is suspended": {Status: 400, Code: "AccountSuspendedException"},
		"sender is not verified": {
			Status: 400, Code: "MessageRejected",
			Reason: "Email address is not verified. The following identities failed the check " +
				"in region EU-CENTRAL-1: hello@example.com",
		},
		"access denied":             {Status: 403, Code: "AccessDeniedException"},
		"SES fails":                 {Status: 500, Code: "InternalServiceErrorException"},
		"SES resets the connection": {Reset: true},
		"sending rate exceeded": {
			Status: 429, Code: "TooManyRequestsException", Reason: "Maximum sending rate exceeded.",
		},
		"SES does not respond":      {NoResponse: true},
		"no such configuration set": {Status: 404, Code: "NotFoundException"},
	} {
		concurrently(name, func(t *testing.T) {
			p := p.separate(t)
			ada := p.signUp(t, "Ada", "")
			p.comment(t, ada, eve, "x")
			p.ses.SetFault(fault)
			began, before := time.Now(), len(p.fn.Logs())
			p.fail(t, messageFor(ada))
			if took := time.Since(began); took > leaseDuration {
				t.Errorf("it took %s, longer than its lease", took)
			}
			p.checkLogged(t, before, "message failed, will be retried")
			if fault.Code != "" && fault.Status < 500 && name != "sending rate exceeded" {
				p.checkLogged(t, before, "sending paused: "+fault.Code)
			}
			p.ses.SetFault(awstest.Fault{})
			if len(p.mails(t)) > 0 || p.unsent(t, ada) != 1 {
				t.Fatalf("a mail was sent, or %d notifications remain, want one", p.unsent(t, ada))
			}
			p.succeed(t, messageFor(ada))
			p.mail(t)
		})
	}
	t.Run("sending rate exceeded for a moment", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.comment(t, ada, eve, "x")
		p.ses.SetFault(awstest.Fault{
			Status: 429, Code: "TooManyRequestsException",
			Reason: "Maximum sending rate exceeded.", Times: 3,
		})
		p.succeed(t, messageFor(ada))
		p.mail(t)
	})
	t.Run("address rejected", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.comment(t, ada, eve, "x")
		p.ses.SetFault(awstest.Fault{
			Status: 400, Code: "MessageRejected", Reason: "No mails to " + address(ada),
		})
		defer p.ses.SetFault(awstest.Fault{})
		before := len(p.fn.Logs())
		p.succeed(t, messageFor(ada))
		p.checkLogged(t, before, "address rejected")
		if p.unsent(t, ada) != 0 || len(p.mails(t)) > 0 {
			t.Errorf("%d notifications remain, or a mail was sent", p.unsent(t, ada))
		}
	})
	t.Run("SES's response is lost: two mails", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.comment(t, ada, eve, "x")
		p.ses.SetFault(awstest.Fault{TruncateResponse: true, Times: 1})
		p.fail(t, messageFor(ada))
		p.mail(t)
		p.succeed(t, messageFor(ada))
		p.mail(t)
		p.succeed(t, messageFor(ada))
		if len(p.mails(t)) > 0 {
			t.Error("a third mail was sent")
		}
	})
	t.Run("the process dies before the acknowledgement: two mails", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.comment(t, ada, eve, "x")
		fn := p.newFunction(t)
		p.ses.BeforeAnswer(func(string) {
			p.ses.BeforeAnswer(nil)
			fn.Kill()
		})
		messages := sqstest.Messages(messageFor(ada))
		if _, err := sqstest.Invoke(t.Context(), fn, messages, timeout); !isKilled(err) {
			t.Fatalf("the function was not killed: %v", err)
		}
		p.mail(t)
		p.fail(t, messageFor(ada)) // the dead process still holds the lease
		p.admin(t, "UPDATE notification_leases SET leased_until = UTC_TIMESTAMP(6) "+
			"WHERE recipient = ?", ada)
		p.succeed(t, messageFor(ada))
		p.mail(t)
	})

	for name, fault := range map[string]awstest.Fault{
		"throttles":        {Status: 400, Code: "TooManyRequestsException"},
		"fails":            {Status: 500, Code: "InternalErrorException"},
		"denies":           {Status: 400, Code: "AccessDeniedException"},
		"does not respond": {NoResponse: true},
	} {
		for _, service := range []string{"Cognito", "DynamoDB"} {
			concurrently(service+" "+name, func(t *testing.T) {
				p := p.separate(t)
				set := map[string]func(awstest.Fault){
					"Cognito": p.cognito.SetFault, "DynamoDB": p.dynamodb.SetFault,
				}[service]
				ada := p.signUp(t, "Ada", "")
				p.comment(t, ada, eve, "x")
				set(fault)
				began := time.Now()
				p.fail(t, messageFor(ada))
				if took := time.Since(began); took > leaseDuration {
					t.Errorf("it took %s, longer than its lease", took)
				}
				set(awstest.Fault{})
				p.succeed(t, messageFor(ada))
				p.mail(t)
			})
		}
	}
	waiting.Wait()

	t.Run("overdue mails: continues after a failed one, stops when sending is paused",
		func(t *testing.T) {
			var overdue []string
			for range 3 {
				ada := p.signUp(t, "Ada", "")
				p.comment(t, ada, eve, "x")
				p.age(t, ada, time.Hour)
				overdue = append(overdue, ada)
			}
			p.ses.SetFault(awstest.Fault{Status: 400, Code: "SendingPausedException"})
			sent := len(p.ses.Calls())
			p.succeed(t, `{"overdue":true}`)
			if tried := len(p.ses.Calls()) - sent; tried != 1 {
				t.Errorf("%d calls of SES while sending is paused, want 1", tried)
			}
			p.ses.SetFault(awstest.Fault{TruncateResponse: true, Times: 1})
			p.succeed(t, `{"overdue":true}`)
			if mails := p.mails(t); len(mails) != 3 {
				t.Errorf("%d mails", len(mails))
			}
			p.succeed(t, `{"overdue":true}`)
			p.mail(t)
			for _, ada := range overdue {
				if p.unsent(t, ada) != 0 {
					t.Error("a notification was not deleted")
				}
			}
		})

	t.Run("the database", func(t *testing.T) {
		sendAfter := func(fault func()) {
			t.Helper()
			ada := p.signUp(t, "Ada", "")
			p.comment(t, ada, eve, "x")
			fault()
			p.succeed(t, messageFor(ada))
			p.mail(t)
		}
		t.Run("drops its connections", func(*testing.T) {
			sendAfter(func() { p.database.KillConnections(t) })
		})
		t.Run("fails over", func(*testing.T) { sendAfter(func() { p.server.Failover(t) }) })
		t.Run("rotates its password", func(*testing.T) {
			sendAfter(func() {
				p.database.RotatePassword(t)
				p.secrets.PutSecret(p.database.Settings().SecretARN, p.database.Secret())
				p.server.ResetConnections()
			})
		})
		t.Run("is down for a while", func(t *testing.T) {
			ada := p.signUp(t, "Ada", "")
			p.comment(t, ada, eve, "x")
			p.server.Down()
			p.fail(t, messageFor(ada))
			p.succeed(t, `{"overdue":true}`)
			p.server.Up(t)
			p.succeed(t, messageFor(ada))
			p.mail(t)
		})
		t.Run("is down after sending, and up before the deadline: one mail", func(t *testing.T) {
			ada := p.signUp(t, "Ada", "")
			p.comment(t, ada, eve, "x")
			p.ses.BeforeAnswer(func(string) {
				p.ses.BeforeAnswer(nil)
				p.server.Down()
				time.AfterFunc(3*time.Second, func() { p.server.Up(t) })
			})
			p.succeed(t, messageFor(ada))
			p.mail(t)
			p.succeed(t, messageFor(ada))
			if len(p.mails(t)) > 0 {
				t.Error("there is a second mail")
			}
		})
	})
}

func isKilled(err error) bool {
	_, killed := errors.AsType[*lambdatest.ExitError](err)
	return killed
}

func TestBootstrap_requires_settings(t *testing.T) {
	fn := lambdatest.New(t, lambdatest.Build(t, contract.Package), nil)
	_, err := fn.Invoke(t.Context(), []byte("{}"), timeout)
	for _, variable := range []string{
		"USER_POOL_ID", "TOKEN_KEY_ARN", "MAILING_LIST_TABLE", "MAIL_FROM",
		"MAIL_CONFIGURATION_SET", "API_ENDPOINT", "WEBSITE_URL", "WINDOW", "LEASE_DURATION",
		"DATABASE_SECRET_ARN", "DATABASE_WRITER_HOST", "DATABASE_PORT", "DATABASE_NAME",
	} {
		if err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("error %v, want it to name %s", err, variable)
		}
	}
}

func TestBootstrap_rejects_invalid_settings(t *testing.T) {
	bootstrap := lambdatest.Build(t, contract.Package)
	valid := contract.Settings{
		Database: mysqlconn.Settings{
			SecretARN: "arn", WriterHost: "writer", Port: 3306, Name: "app",
		},
		UserPoolID:       pool,
		TokenKeyARN:      tokenKeyARN,
		Table:            "table",
		From:             "hello@example.com",
		ConfigurationSet: "mails",
		Endpoint:         endpoint,
		Website:          "https://app.example.com",
		Window:           window,
		LeaseDuration:    leaseDuration,
	}
	for want, change := range map[string]func(*contract.Settings){
		"MAIL_FROM":            func(s *contract.Settings) { s.From = "Ashlar" },
		"LEASE_DURATION is 9s": func(s *contract.Settings) { s.LeaseDuration = 9 * time.Second },
		"at least 10s":         func(s *contract.Settings) { s.LeaseDuration = time.Millisecond },
	} {
		settings := valid
		change(&settings)
		environment, err := lambdaenv.Encode(settings)
		if err != nil {
			t.Fatal(err)
		}
		fn := lambdatest.New(t, bootstrap, environment)
		_, err = fn.Invoke(t.Context(), []byte("{}"), timeout)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to contain %s", err, want)
		}
	}
}

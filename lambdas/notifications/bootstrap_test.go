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

	"github.com/ashlar-cdk/ashlar/internal/adapters/cognito"
	"github.com/ashlar-cdk/ashlar/internal/adapters/dynamodbstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/adapters/schema"
	"github.com/ashlar-cdk/ashlar/internal/api/links"
	"github.com/ashlar-cdk/ashlar/internal/api/token"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/email"
	"github.com/ashlar-cdk/ashlar/internal/domain/notifications"
	"github.com/ashlar-cdk/ashlar/internal/domain/posts"
	"github.com/ashlar-cdk/ashlar/internal/testing/awstest"
	"github.com/ashlar-cdk/ashlar/internal/testing/dynamodbtest"
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/internal/testing/smtptest"
	"github.com/ashlar-cdk/ashlar/lambdaenv"
	"github.com/ashlar-cdk/ashlar/lambdas/notifications/contract"
)

const (
	pool        = "eu-central-1_EXAMPLE"
	tokenKeyARN = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:token-key"
	endpoint    = "https://api.example.com/v1/"

	// timeout is the function's own, as it is deployed.
	timeout = time.Minute

	// lease is no longer than it has to be, so that what hangs does not do so for long.
	leaseDuration = email.MinLease
)

// A platform is the built function with all that it uses.
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
	read  int // how many mails a test has looked at
}

func startPlatform(t *testing.T) *platform {
	t.Helper()
	server := mysqltest.Start(t)
	p := &platform{
		server: server, database: server.NewDatabase(t), secrets: awstest.StartSecretsManager(t), cognito: awstest.StartCognito(t, pool),
		dynamodb: dynamodbtest.Start(t), mailbox: smtptest.Start(t), bootstrap: lambdatest.Build(t, contract.Package),
	}
	p.ses = awstest.StartSES(t, "example.com", "mails", p.mailbox.Address)
	databases := p.database.Open(t)
	if _, err := schema.Up(t.Context(), databases.Writer); err != nil {
		t.Fatal(err)
	}
	p.posts, p.profiles = mysqlstore.NewPosts(databases), mysqlstore.NewProfiles(databases)
	settings := contract.Settings{
		Users: cognito.Settings{UserPoolID: pool}, Tokens: token.Settings{KeyARN: tokenKeyARN}, Table: p.dynamodb.NewMailingList(t),
		From: "Ashlar <hello@example.com>", ConfigurationSet: "mails", Endpoint: endpoint, Website: "https://app.example.com",
		Window: window, LeaseDuration: leaseDuration, Database: p.database.Settings(),
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

// apart is a platform with the same database, and all else of its own: what happens to it happens to nobody else.
func (p *platform) apart(t *testing.T) *platform {
	t.Helper()
	other := &platform{
		server: p.server, database: p.database, posts: p.posts, profiles: p.profiles, secrets: p.secrets,
		cognito: awstest.StartCognito(t, pool), dynamodb: dynamodbtest.Start(t), mailbox: smtptest.Start(t),
		list: p.list, bootstrap: p.bootstrap, environment: maps.Clone(p.environment),
	}
	other.ses = awstest.StartSES(t, "example.com", "mails", other.mailbox.Address)
	maps.Copy(other.environment, other.endpoints())
	other.fn = other.newFunction(t)
	t.Cleanup(func() { other.checkLogs(t) })
	return other
}

// endpoints are where the function finds the services.
func (p *platform) endpoints() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": p.secrets.URL, "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": p.cognito.URL,
		"AWS_ENDPOINT_URL_DYNAMODB": p.dynamodb.URL, "AWS_ENDPOINT_URL_SESV2": p.ses.URL, "SSL_CERT_FILE": p.server.CAFile,
	}
}

// newFunction is another one, beside p.fn.
func (p *platform) newFunction(t *testing.T) *lambdatest.Function {
	t.Helper()
	return lambdatest.New(t, p.bootstrap, p.environment)
}

// signUp makes somebody with a profile and an address, who prefers a language.
func (p *platform) signUp(t *testing.T, name, language string) (subject string) {
	t.Helper()
	subject = uuid.NewString()
	if _, err := p.profiles.Put(t.Context(), accounts.Profile{Subject: subject, DisplayName: name, Language: language}, nil); err != nil {
		t.Fatal(err)
	}
	p.users = append(p.users, awstest.CognitoUser{Username: "google_" + subject, Status: "EXTERNAL_PROVIDER", Attributes: map[string]string{
		"sub": subject, "email": address(subject), "email_verified": "true",
	}})
	p.cognito.SetUsers(p.users...)
	return subject
}

func address(subject string) string { return "Secret." + subject + "@example.org" }

// window is the queue's delay, as it is deployed.
const window = 5 * time.Minute

// commented makes a post of an author's with comments of a commenter's, a window ago.
func (p *platform) commented(t *testing.T, author, commenter string, bodies ...string) posts.Post {
	t.Helper()
	post, err := p.posts.Create(t.Context(), author, "", posts.Draft{Title: "A confidential wall", Body: "<p>Stones.</p>"})
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

// age has all notifications of a recipient be made so much earlier.
func (p *platform) age(t *testing.T, recipient string, by time.Duration) {
	t.Helper()
	p.admin(t, "UPDATE comment_notifications SET created_at = created_at - INTERVAL ? SECOND WHERE recipient = ?", int(by.Seconds()), recipient)
}

func tell(recipient string) string { return `{"recipient":"` + recipient + `"}` }

// send gives the function a batch, and returns which of its messages come again, by their place.
func (p *platform) send(t *testing.T, fn *lambdatest.Function, bodies ...string) []int {
	t.Helper()
	failed, err := fn.InvokeBatch(t.Context(), lambdatest.Messages(bodies...), timeout)
	if err != nil {
		t.Fatalf("%v\n%s", err, fn.Logs())
	}
	return failed
}

// done is send for what has to be done at once.
func (p *platform) done(t *testing.T, bodies ...string) {
	t.Helper()
	if failed := p.send(t, p.fn, bodies...); len(failed) > 0 {
		t.Fatalf("messages %v of %d come again\n%s", failed, len(bodies), p.fn.Logs())
	}
}

// again is send for one that has to come again.
func (p *platform) again(t *testing.T, body string) {
	t.Helper()
	if failed := p.send(t, p.fn, body); len(failed) != 1 {
		t.Fatalf("the message is done\n%s", p.fn.Logs())
	}
}

// mails are those that have come since the last call.
func (p *platform) mails(t *testing.T) []smtptest.Mail {
	t.Helper()
	all := p.mailbox.Mails(t)
	since := all[p.read:]
	p.read = len(all)
	return since
}

// mail is the only one that has come since the last call.
func (p *platform) mail(t *testing.T) smtptest.Mail {
	t.Helper()
	mails := p.mails(t)
	if len(mails) != 1 {
		t.Fatalf("%d mails, want one\n%s", len(mails), p.fn.Logs())
	}
	return mails[0]
}

// left is how many notifications a recipient has.
func (p *platform) left(t *testing.T, recipient string) (n int) {
	t.Helper()
	if err := p.server.Admin.QueryRow("SELECT COUNT(*) FROM "+p.database.Name+".comment_notifications WHERE recipient = ?", recipient).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// admin changes the database past the store.
func (p *platform) admin(t *testing.T, statement string, args ...any) {
	t.Helper()
	for _, table := range []string{"comment_notifications", "notification_leases", "accounts", "profiles"} {
		statement = strings.ReplaceAll(statement, " "+table+" ", " "+p.database.Name+"."+table+" ")
	}
	if _, err := p.server.Admin.Exec(statement, args...); err != nil {
		t.Fatal(err)
	}
}

// logged wants the log to have said something since the test began.
func (p *platform) logged(t *testing.T, before int, words string) {
	t.Helper()
	if said := p.fn.Logs()[before:]; !strings.Contains(said, words) {
		t.Errorf("the log does not say %q:\n%s", words, said)
	}
}

func TestBootstrap(t *testing.T) {
	p := startPlatform(t)
	eve := p.signUp(t, "Eve Incognito", "en")

	t.Run("an author is told of a comment", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "en-GB")
		post := p.commented(t, ada, eve, "<p>Cut &amp; true <script>.</p>")
		p.done(t, tell(ada))
		mail := p.mail(t)
		if len(mail.To) != 1 || mail.To[0] != address(ada) || mail.Header.Get("To") != address(ada) {
			t.Errorf("the mail is to %s and %s", mail.To, mail.Header.Get("To"))
		}
		if mail.Header.Get("From") != `"Ashlar" <hello@example.com>` || mail.Subject != "New comment on “A confidential wall”" {
			t.Errorf("from %s, %q", mail.Header.Get("From"), mail.Subject)
		}
		for form, said := range map[string]string{"text": mail.Text, "HTML": mail.HTML} {
			for _, words := range []string{"A confidential wall", "https://app.example.com/posts/" + post.ID.String(), "Eve Incognito"} {
				if !strings.Contains(said, words) {
					t.Errorf("the %s does not say %q:\n%s", form, words, said)
				}
			}
		}
		if !strings.Contains(mail.Text, "Eve Incognito: Cut & true") || !strings.Contains(mail.HTML, "Cut &amp; true") {
			t.Errorf("text\n%s\nHTML\n%s", mail.Text, mail.HTML)
		}
		end := strings.Trim(mail.Header.Get("List-Unsubscribe"), "<>")
		if mail.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" || !strings.Contains(mail.Text, end) || !strings.Contains(mail.HTML, end) {
			t.Errorf("headers %v", mail.Header)
		}
		sealed, ours := strings.CutPrefix(end, endpoint+"notification-settings/")
		opened, err := (&links.Links{Tokens: token.NewSealer(token.Settings{KeyARN: tokenKeyARN}, key{}, time.Now)}).OpenNotificationSettings(t.Context(), sealed)
		if !ours || err != nil || opened != (links.NotificationSettings{Subject: ada, Language: "en"}) {
			t.Errorf("the link to end the mails, %s, is for %+v, %v", end, opened, err)
		}
		if p.left(t, ada) != 0 {
			t.Error("the notification is still there")
		}
		p.done(t, tell(ada), tell(ada), tell(eve))
		if mails := p.mails(t); len(mails) > 0 {
			t.Errorf("%d mails more", len(mails))
		}
	})

	t.Run("a message of a comment that is told already brings no mail about one that is new", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.commented(t, ada, eve, "x")
		p.age(t, ada, -10*time.Second)
		p.done(t, tell(ada))
		if mails := p.mails(t); len(mails) > 0 || p.left(t, ada) != 1 {
			t.Errorf("%d mails, %d notifications; want none yet", len(mails), p.left(t, ada))
		}
		p.age(t, ada, 10*time.Second)
		p.done(t, tell(ada))
		p.mail(t)
	})

	t.Run("of a burst, by one mail, in Korean", func(t *testing.T) {
		ada := p.signUp(t, "에이다", "ko-KR")
		var bodies []string
		for i := range notifications.MaxComments + 3 {
			bodies = append(bodies, fmt.Sprintf("댓글 %d!", i))
		}
		p.commented(t, ada, eve, bodies...)
		p.done(t, slices.Repeat([]string{tell(ada)}, 10)...)
		mail := p.mail(t)
		if mail.Subject != "“A confidential wall” 글에 새 댓글 23개" || strings.Count(mail.Text, "댓글 ") != notifications.MaxComments+2 || !strings.Contains(mail.HTML, "외 3개") {
			t.Errorf("%q\n%s", mail.Subject, mail.Text)
		}
		if p.left(t, ada) != 0 {
			t.Error("there are notifications left")
		}
	})

	t.Run("who is to get no mail gets none, and is not asked about again", func(t *testing.T) { followUnwilling(t, p, eve) })

	t.Run("a message that says nothing comes again, and no other of its batch", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.commented(t, ada, eve, "x")
		before := len(p.fn.Logs())
		poison := []string{"", "no JSON", "{}", `{"recipient":""}`, `{"recipient":7}`, `{"overdue":false}`, "null", `["ada"]`,
			`{"Type":"Notification","Message":"{\"recipient\":\"` + ada + `\"}"}`}
		for place := range 3 {
			batch := slices.Insert(slices.Clone(poison), []int{0, 4, len(poison)}[place], tell(ada))
			failed := p.send(t, p.fn, batch...)
			if len(failed) != len(poison) || slices.Contains(failed, slices.Index(batch, tell(ada))) {
				t.Errorf("messages %v come again", failed)
			}
		}
		p.mail(t)
		p.logged(t, before, "neither recipient nor overdue")
		unknown := []string{tell("nobody"), tell(strings.Repeat("x", 1000)), tell(`' OR 1=1 --`)}
		p.done(t, unknown...) // there is nothing to tell them
	})

	t.Run("a sweep tells those whom nobody has told", func(t *testing.T) {
		forgotten, new := p.signUp(t, "Ada", ""), p.signUp(t, "Bob", "")
		for _, author := range []string{forgotten, new} {
			p.commented(t, author, eve, "x", "y")
		}
		p.done(t, `{"overdue":true}`)
		if mails := p.mails(t); len(mails) > 0 {
			t.Errorf("%d mails, want none yet", len(mails))
		}
		p.age(t, forgotten, window+time.Second)
		p.age(t, new, window-100*time.Second)
		p.done(t, `{"overdue":true}`, `{"overdue":true}`)
		if mail := p.mail(t); mail.To[0] != address(forgotten) {
			t.Errorf("the mail is to %s", mail.To)
		}
		p.done(t, tell(new))
		p.mail(t)
	})

	t.Run("two functions at once send one mail", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.commented(t, ada, eve, "x")
		other := p.newFunction(t)
		var waiting sync.WaitGroup
		p.ses.BeforeAnswer(func(string) { // while the one waits for SES
			p.ses.BeforeAnswer(nil)
			if failed := p.send(t, other, tell(ada)); len(failed) != 1 {
				t.Error("the other takes it for done, though the first may die yet")
			}
		})
		waiting.Go(func() { p.done(t, tell(ada)) })
		waiting.Wait()
		p.mail(t)
		if failed := p.send(t, other, tell(ada)); len(failed) > 0 || len(p.mails(t)) > 0 {
			t.Errorf("messages %v come again, or there is a second mail", failed)
		}
	})

	t.Run("faults", func(t *testing.T) { followFaults(t, p, eve) })

	p.checkLogs(t)
	awstest.CheckActions(t, "calls.txt", slices.Concat(p.secrets.Calls(), p.cognito.Calls(), p.dynamodb.Calls(), p.ses.Calls()))
}

// checkLogs wants one process to have answered all, and its log to be JSON that names nobody.
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
			t.Errorf("the log has the subject or the address of %s", subject)
		}
	}
	for _, secret := range []string{"example.org", "Incognito", "confidential", "notification-settings/", p.database.Password(), "the key of tokens"} {
		if strings.Contains(logs, secret) {
			t.Errorf("the log has %q:\n%s", secret, logs)
		}
	}
}

func followUnwilling(t *testing.T, p *platform, eve string) {
	change := func(subject string, change func(*awstest.CognitoUser)) {
		for i := range p.users {
			if p.users[i].Attributes["sub"] == subject {
				change(&p.users[i])
			}
		}
		p.cognito.SetUsers(p.users...)
	}
	for name, unwilling := range map[string]func(subject string){
		"has turned them off": func(subject string) {
			if err := p.profiles.SetCommentNotifications(t.Context(), subject, false); err != nil {
				t.Fatal(err)
			}
		},
		"has no profile": func(subject string) { p.admin(t, "DELETE FROM profiles WHERE subject = ?", subject) },
		"is deleting the account": func(subject string) {
			p.admin(t, "UPDATE accounts SET deleted_at = UTC_TIMESTAMP(6) WHERE subject = ?", subject)
		},
		"has no verified address": func(subject string) {
			change(subject, func(user *awstest.CognitoUser) { user.Attributes["email_verified"] = "false" })
		},
		"is disabled": func(subject string) { change(subject, func(user *awstest.CognitoUser) { user.Disabled = true }) },
		"is no user any more": func(subject string) {
			change(subject, func(user *awstest.CognitoUser) { user.Attributes["sub"] = "another" })
		},
		"has complained": func(subject string) {
			if err := p.list.Suppress(t.Context(), strings.ToLower(address(subject)), "complaint", time.Now()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ada := p.signUp(t, "Ada", "")
			p.commented(t, ada, eve, "x")
			unwilling(ada)
			sent := len(p.ses.Calls())
			p.done(t, tell(ada))
			if mails := p.mails(t); len(mails) > 0 || len(p.ses.Calls()) != sent {
				t.Errorf("%d mails, %d calls of SES", len(mails), len(p.ses.Calls())-sent)
			}
			if p.left(t, ada) != 0 {
				t.Error("the notification is still there")
			}
		})
	}
}

func followFaults(t *testing.T, p *platform, eve string) {
	// Most of these wait for who does not answer, and all packages with a database wait for this one.
	var waiting sync.WaitGroup
	atOnce := func(name string, test func(*testing.T)) {
		waiting.Go(func() { t.Run(name, test) })
		if p.server.Embedded() {
			waiting.Wait() // it has no locks
		}
	}
	// What SES says that lasts: the notifications stay, and a later message brings the mail, at once.
	for name, fault := range map[string]awstest.Fault{
		"the day's quota is used up":  {Status: 429, Code: "TooManyRequestsException", Reason: "Daily message quota exceeded."},
		"the account is paused":       {Status: 400, Code: "SendingPausedException", Reason: "Email sending is paused."},
		"the account is suspended":    {Status: 400, Code: "AccountSuspendedException"},
		"the sender is not verified":  {Status: 400, Code: "MessageRejected", Reason: "Email address is not verified. The following identities failed the check in region EU-CENTRAL-1: hello@example.com"},
		"the role may not send":       {Status: 403, Code: "AccessDeniedException"},
		"SES is out of order":         {Status: 500, Code: "InternalServiceErrorException"},
		"SES ends the connection":     {Reset: true},
		"too many mails a second":     {Status: 429, Code: "TooManyRequestsException", Reason: "Maximum sending rate exceeded."},
		"SES does not answer":         {Silent: true},
		"the configuration set is no": {Status: 404, Code: "NotFoundException"},
	} {
		atOnce(name, func(t *testing.T) {
			p := p.apart(t)
			ada := p.signUp(t, "Ada", "")
			p.commented(t, ada, eve, "x")
			p.ses.SetFault(fault)
			began, before := time.Now(), len(p.fn.Logs())
			p.again(t, tell(ada))
			if took := time.Since(began); took > leaseDuration {
				t.Errorf("it took %s, longer than its lease", took)
			}
			p.logged(t, before, "has to come again")
			if fault.Code != "" && fault.Status < 500 && !strings.Contains(name, "a second") {
				p.logged(t, before, "mails are held: "+fault.Code)
			}
			p.ses.SetFault(awstest.Fault{})
			if len(p.mails(t)) > 0 || p.left(t, ada) != 1 {
				t.Fatalf("there are mails, or %d notifications, want one", p.left(t, ada))
			}
			p.done(t, tell(ada))
			p.mail(t)
		})
	}
	t.Run("too many mails a second, for a moment", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.commented(t, ada, eve, "x")
		p.ses.SetFault(awstest.Fault{Status: 429, Code: "TooManyRequestsException", Reason: "Maximum sending rate exceeded.", Times: 3})
		p.done(t, tell(ada))
		p.mail(t)
	})
	t.Run("the mail is refused", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.commented(t, ada, eve, "x")
		p.ses.SetFault(awstest.Fault{Status: 400, Code: "MessageRejected", Reason: "No mails to " + address(ada)})
		defer p.ses.SetFault(awstest.Fault{})
		before := len(p.fn.Logs())
		p.done(t, tell(ada))
		p.logged(t, before, "the mail is refused")
		if p.left(t, ada) != 0 || len(p.mails(t)) > 0 {
			t.Errorf("%d notifications are left, or there are mails", p.left(t, ada))
		}
	})
	t.Run("SES's answer is lost: then, and only then, there are two mails", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.commented(t, ada, eve, "x")
		p.ses.SetFault(awstest.Fault{Cut: true, Times: 1})
		p.again(t, tell(ada))
		p.mail(t)
		p.done(t, tell(ada))
		p.mail(t)
		p.done(t, tell(ada))
		if len(p.mails(t)) > 0 {
			t.Error("and a third one")
		}
	})
	t.Run("the process dies before it can note the mail: then, too", func(t *testing.T) {
		ada := p.signUp(t, "Ada", "")
		p.commented(t, ada, eve, "x")
		fn := p.newFunction(t)
		p.ses.BeforeAnswer(func(string) {
			p.ses.BeforeAnswer(nil)
			fn.Kill()
		})
		if _, err := fn.InvokeBatch(t.Context(), lambdatest.Messages(tell(ada)), timeout); !isKilled(err) {
			t.Fatalf("the function was not killed: %v", err)
		}
		p.mail(t)
		p.again(t, tell(ada)) // the lease is the dead one's
		p.admin(t, "UPDATE notification_leases SET leased_until = UTC_TIMESTAMP(6) WHERE recipient = ?", ada)
		p.done(t, tell(ada))
		p.mail(t)
	})

	for name, fault := range map[string]awstest.Fault{
		"throttles": {Status: 400, Code: "TooManyRequestsException"},
		"fails":     {Status: 500, Code: "InternalErrorException"},
		"denies":    {Status: 400, Code: "AccessDeniedException"},
		"is silent": {Silent: true},
	} {
		for _, service := range []string{"Cognito", "DynamoDB"} {
			atOnce(service+" "+name, func(t *testing.T) {
				p := p.apart(t)
				set := map[string]func(awstest.Fault){"Cognito": p.cognito.SetFault, "DynamoDB": p.dynamodb.SetFault}[service]
				ada := p.signUp(t, "Ada", "")
				p.commented(t, ada, eve, "x")
				set(fault)
				began := time.Now()
				p.again(t, tell(ada))
				if took := time.Since(began); took > leaseDuration {
					t.Errorf("it took %s, longer than its lease", took)
				}
				set(awstest.Fault{})
				p.done(t, tell(ada))
				p.mail(t)
			})
		}
	}
	waiting.Wait()

	t.Run("a sweep goes on after one who cannot be told, and ends when mails are held", func(t *testing.T) {
		var overdue []string
		for range 3 {
			ada := p.signUp(t, "Ada", "")
			p.commented(t, ada, eve, "x")
			p.age(t, ada, time.Hour)
			overdue = append(overdue, ada)
		}
		p.ses.SetFault(awstest.Fault{Status: 400, Code: "SendingPausedException"})
		sent := len(p.ses.Calls())
		p.done(t, `{"overdue":true}`)
		if tried := len(p.ses.Calls()) - sent; tried != 1 {
			t.Errorf("SES was asked %d times while it is paused", tried)
		}
		p.ses.SetFault(awstest.Fault{Cut: true, Times: 1})
		p.done(t, `{"overdue":true}`)
		if mails := p.mails(t); len(mails) != 3 {
			t.Errorf("%d mails", len(mails))
		}
		p.done(t, `{"overdue":true}`)
		p.mail(t)
		for _, ada := range overdue {
			if p.left(t, ada) != 0 {
				t.Error("there is a notification left")
			}
		}
	})

	t.Run("the database", func(t *testing.T) {
		tellAfter := func(fault func()) {
			t.Helper()
			ada := p.signUp(t, "Ada", "")
			p.commented(t, ada, eve, "x")
			fault()
			p.done(t, tell(ada))
			p.mail(t)
		}
		t.Run("drops its connections", func(*testing.T) { tellAfter(func() { p.database.KillConnections(t) }) })
		t.Run("fails over", func(*testing.T) { tellAfter(func() { p.server.Failover(t) }) })
		t.Run("has another password", func(*testing.T) {
			tellAfter(func() {
				p.database.RotatePassword(t)
				p.secrets.PutSecret(p.database.Settings().SecretARN, p.database.Secret())
				p.server.ResetConnections()
			})
		})
		t.Run("is down, and comes back", func(t *testing.T) {
			ada := p.signUp(t, "Ada", "")
			p.commented(t, ada, eve, "x")
			p.server.Down()
			p.again(t, tell(ada))
			p.done(t, `{"overdue":true}`)
			p.server.Up(t)
			p.done(t, tell(ada))
			p.mail(t)
		})
		t.Run("is down when the mail has gone, and back in time: one mail", func(t *testing.T) {
			ada := p.signUp(t, "Ada", "")
			p.commented(t, ada, eve, "x")
			p.ses.BeforeAnswer(func(string) {
				p.ses.BeforeAnswer(nil)
				p.server.Down()
				time.AfterFunc(3*time.Second, func() { p.server.Up(t) })
			})
			p.done(t, tell(ada))
			p.mail(t)
			p.done(t, tell(ada))
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

func TestBootstrapDoesNotStartWithoutItsSettings(t *testing.T) {
	_, err := lambdatest.New(t, lambdatest.Build(t, contract.Package), nil).Invoke(t.Context(), []byte("{}"), timeout)
	for _, variable := range []string{"USER_POOL_ID", "TOKEN_KEY_ARN", "MAILING_LIST_TABLE", "MAIL_FROM", "MAIL_CONFIGURATION_SET", "API_ENDPOINT",
		"WEBSITE_URL", "WINDOW", "LEASE_DURATION", "DATABASE_SECRET_ARN", "DATABASE_WRITER_HOST", "DATABASE_PORT", "DATABASE_NAME"} {
		if err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("error %v, want it to name %s", err, variable)
		}
	}
}

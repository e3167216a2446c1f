package mysqlstore_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ashlar-cdk/ashlar/internal/adapters/mysqlstore"
	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
	"github.com/ashlar-cdk/ashlar/internal/runtime/retry"
	"github.com/ashlar-cdk/ashlar/internal/testing/mysqltest"
	"github.com/ashlar-cdk/ashlar/mysqlconn"
)

var ada = accounts.Profile{
	Subject: "s-1", DisplayName: "Ada 🪨", Bio: "First.\n", Language: "en-GB",
	CommentNotifications: true,
}

var ignoreTimes = cmpopts.IgnoreFields(accounts.Profile{}, "CreatedAt", "UpdatedAt")

// start returns an empty store and its database.
func start(t *testing.T) (*mysqlstore.Profiles, *mysqltest.Server, *mysqltest.Database) {
	t.Helper()
	stores := open(t)
	return stores.profiles, stores.server, stores.database
}

// storeIn migrates an empty database and returns its store.
func storeIn(t *testing.T, database *mysqltest.Database) *mysqlstore.Profiles {
	t.Helper()
	databases := database.Open(t)
	migrate(t, databases)
	return mysqlstore.NewProfiles(databases)
}

func put(t *testing.T, store *mysqlstore.Profiles, p accounts.Profile) accounts.Profile {
	t.Helper()
	stored, err := store.Put(t.Context(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func TestProfiles_Get_returns_the_stored_profile(t *testing.T) {
	store, _, _ := start(t)
	before := time.Now().Add(-time.Minute) // the database's clock may be another machine's
	stored := put(t, store, ada)
	if diff := cmp.Diff(ada, stored, ignoreTimes); diff != "" {
		t.Error(diff)
	}
	if !stored.CreatedAt.Equal(stored.UpdatedAt) || stored.CreatedAt.Before(before) ||
		stored.CreatedAt.After(before.Add(2*time.Minute)) {
		t.Errorf("created %s, updated %s, want now", stored.CreatedAt, stored.UpdatedAt)
	}
	got, err := store.Get(t.Context(), ada.Subject)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stored, got); diff != "" {
		t.Error(diff)
	}
}

func TestProfiles_Put_keeps_CreatedAt(t *testing.T) {
	store, _, _ := start(t)
	first := put(t, store, ada)
	changed := accounts.Profile{
		Subject: ada.Subject, DisplayName: "Ada the Second", Bio: "", Language: "",
		CommentNotifications: true,
	}
	second := put(t, store, changed)
	if diff := cmp.Diff(changed, second, ignoreTimes); diff != "" {
		t.Error(diff)
	}
	if !second.CreatedAt.Equal(first.CreatedAt) || !second.UpdatedAt.After(first.UpdatedAt) {
		t.Errorf("created %s then %s, updated %s then %s", first.CreatedAt, second.CreatedAt,
			first.UpdatedAt, second.UpdatedAt)
	}
}

func TestProfiles_Put_stores_comment_notifications(t *testing.T) {
	s := open(t)
	enabled := func(commentNotifications *bool) bool {
		t.Helper()
		stored := must(s.profiles.Put(t.Context(), ada, commentNotifications))(t)
		if got := must(s.profiles.Get(t.Context(), ada.Subject))(t); got != stored {
			t.Errorf("stored %+v, got %+v", stored, got)
		}
		return stored.CommentNotifications
	}
	on, off := true, false
	for i, step := range []struct {
		put  *bool
		want bool
	}{
		{nil, true}, {&off, false}, {nil, false}, {&on, true}, {nil, true}, {&off, false},
		{&off, false},
	} {
		if got := enabled(step.put); got != step.want {
			t.Errorf("%d: enabled %t, want %t", i, got, step.want)
		}
	}
	must(s.profiles.Put(t.Context(),
		accounts.Profile{Subject: "s-2", DisplayName: "Disabled from the start"}, &off))(t)
	ok(t, s.profiles.Create(t.Context(),
		accounts.Profile{Subject: "s-3", DisplayName: "Created at sign-up"}))
	for subject, want := range map[string]bool{"s-2": false, "s-3": true} {
		if got := must(s.profiles.Get(t.Context(), subject))(t); got.CommentNotifications != want {
			t.Errorf("%s: enabled %t, want %t", subject, got.CommentNotifications, want)
		}
	}
}

func TestProfiles_SetCommentNotifications_changes_nothing_else(t *testing.T) {
	s := open(t)
	first := put(t, s.profiles, ada)
	phone := newClient(ada.Subject)
	ok(t, phone.syncToTheEnd(t, s.changes, 10))
	before := first
	for _, on := range []bool{false, false, true, true} {
		ok(t, s.profiles.SetCommentNotifications(t.Context(), ada.Subject, on))
		got := must(s.profiles.Get(t.Context(), ada.Subject))(t)
		changed := !got.UpdatedAt.Equal(before.UpdatedAt)
		if changed != (before.CommentNotifications != on) {
			t.Errorf("set to %t where it was %t: changed %t", on, before.CommentNotifications,
				changed)
		}
		before = got
		want := ada
		want.CommentNotifications = on
		diff := cmp.Diff(want, got, ignoreTimes)
		if diff != "" || !got.CreatedAt.Equal(first.CreatedAt) {
			t.Errorf("created %s, was %s\n%s", got.CreatedAt, first.CreatedAt, diff)
		}
		ok(t, phone.syncToTheEnd(t, s.changes, 10))
		if diff := phone.check(t, s); diff != "" {
			t.Errorf("another device of the user (-tables +client):\n%s", diff)
		}
	}
	err := s.profiles.SetCommentNotifications(t.Context(), "unknown", false)
	if !errors.Is(err, accounts.ErrProfileNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if n := s.count(t, "profiles", "subject = 'unknown'"); n != 0 {
		t.Error("a profile was created")
	}
}

func TestProfiles_Get_unknown_subject(t *testing.T) {
	store, _, _ := start(t)
	put(t, store, ada)
	for _, subject := range []string{"s-2", "S-1", "s-"} {
		if _, err := store.Get(t.Context(), subject); !errors.Is(err, accounts.ErrProfileNotFound) {
			t.Errorf("%q: got %v, want ErrNotFound", subject, err)
		}
	}
}

func TestProfiles_Get_reads_the_writer_when_the_replica_lags(t *testing.T) {
	server := mysqltest.Start(t)
	writer, replica := server.NewDatabase(t).Open(t), server.NewDatabase(t).Open(t)
	for _, databases := range []*mysqlconn.Databases{writer, replica} {
		migrate(t, databases)
	}
	store := mysqlstore.NewProfiles(
		&mysqlconn.Databases{Writer: writer.Writer, Reader: replica.Writer})
	put(t, store, ada)
	got, err := store.Get(t.Context(), ada.Subject)
	if err != nil || got.DisplayName != ada.DisplayName {
		t.Errorf("before replication: %v, %v", got, err)
	}
	old := ada
	old.DisplayName = "in the replica"
	put(t, mysqlstore.NewProfiles(replica), old)
	got, err = store.Get(t.Context(), ada.Subject)
	if err != nil || got.DisplayName != old.DisplayName {
		t.Errorf("after replication: %v, %v; want the replica's", got, err)
	}
}

func TestProfiles_Get_reads_the_writer_when_the_replica_is_down(t *testing.T) {
	server := mysqltest.Start(t)
	database := server.NewDatabase(t)
	// The kernel accepts connections to this host, but no process reads from them. It is a loopback
	// address that Linux has and nothing else uses.
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp",
		net.JoinHostPort("127.0.0.2", strconv.Itoa(server.Port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	put(t, storeIn(t, database), ada)
	for name, host := range map[string]string{
		"unknown host": "replica.invalid", "silent": "127.0.0.2",
	} {
		t.Run(name, func(t *testing.T) {
			settings := database.Settings()
			settings.ReaderHosts = []string{host}
			databases, err := mysqlconn.Open(settings, database)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = databases.Close() })
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			got, err := mysqlstore.NewProfiles(databases).Get(ctx, ada.Subject)
			if err != nil || got.DisplayName != ada.DisplayName {
				t.Errorf("got %v, %v; want the writer's", got, err)
			}
		})
	}
}

func TestProfiles_Put_retries_after(t *testing.T) {
	for name, fault := range map[string]func(*testing.T, *mysqltest.Server, *mysqltest.Database){
		"deadlock": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.Deadlock(t, "profiles", "subject", "s-1")
		},
		"lock wait timeout": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.LockTimeout(t, "profiles", "subject", "s-1")
		},
		"failover": func(t *testing.T, s *mysqltest.Server, _ *mysqltest.Database) {
			s.Failover(t)
		},
		"killed connection": func(t *testing.T, _ *mysqltest.Server, d *mysqltest.Database) {
			d.KillConnections(t)
		},
		"reset connection": func(_ *testing.T, s *mysqltest.Server, _ *mysqltest.Database) {
			s.ResetConnections()
		},
		"rotated secret": func(t *testing.T, s *mysqltest.Server, d *mysqltest.Database) {
			d.RotatePassword(t)
			s.ResetConnections()
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, server, database := start(t)
			first := put(t, store, ada)
			fault(t, server, database)
			changed := ada
			changed.Bio = "changed"
			stored := put(t, store, changed)
			if stored.Bio != "changed" || !stored.CreatedAt.Equal(first.CreatedAt) {
				t.Errorf("stored %v", stored)
			}
		})
	}
}

func TestProfiles_unavailable_database(t *testing.T) {
	for name, fault := range map[string]func(*mysqltest.Server){
		"refuses": (*mysqltest.Server).Down,
		"hangs":   (*mysqltest.Server).StopResponding,
	} {
		t.Run(name, func(t *testing.T) {
			store, server, _ := start(t)
			put(t, store, ada)
			fault(server)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			_, getErr := store.Get(ctx, ada.Subject)
			_, putErr := store.Put(ctx, ada, nil)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %s past a deadline of 1s", took)
			}
			if !errors.Is(getErr, retry.ErrUnavailable) ||
				!errors.Is(putErr, retry.ErrUnavailable) {
				t.Errorf("got %v and %v, want ErrUnavailable", getErr, putErr)
			}
			server.Up(t)
			if _, err := store.Get(t.Context(), ada.Subject); err != nil {
				t.Errorf("when it is up again: %v", err)
			}
		})
	}
}

func TestProfiles_permanent_error(t *testing.T) {
	store, server, database := start(t)
	if _, err := server.Admin.Exec("DROP TABLE " + database.Name + ".profiles"); err != nil {
		t.Fatal(err)
	}
	_, getErr := store.Get(t.Context(), ada.Subject)
	_, putErr := store.Put(t.Context(), ada, nil)
	for _, err := range []error{getErr, putErr} {
		if err == nil || errors.Is(err, accounts.ErrProfileNotFound) ||
			errors.Is(err, retry.ErrUnavailable) || !strings.Contains(err.Error(), "1146") {
			t.Errorf("got %v, want MySQL's 1146", err)
		}
	}
}

// TestProfiles_Put_stores_any_valid_profile checks that the domain's limits fit the table's
// columns.
func TestProfiles_Put_stores_any_valid_profile(t *testing.T) {
	store, _, _ := start(t)
	line := rapid.Rune() // Validate filters control characters
	valid := rapid.Custom(func(t *rapid.T) accounts.Profile {
		return accounts.Profile{
			Subject: rapid.StringMatching(`[!-~]{1,128}`).Draw(t, "subject"),
			DisplayName: rapid.StringOfN(line, 1, accounts.MaxDisplayName, -1).Draw(t,
				"display name"),
			Bio: rapid.StringOfN(rapid.OneOf(line, rapid.SampledFrom([]rune("\n\t 🪨"))),
				0, accounts.MaxBio, -1).Draw(t, "bio"),
			Language: rapid.StringMatching(
				`([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,2})?`).Draw(t, "language"),
			CommentNotifications: true,
		}
	}).Filter(func(p accounts.Profile) bool { return p.Validate() == nil })
	rapid.Check(t, func(r *rapid.T) {
		p := valid.Draw(r, "profile")
		put(t, store, p)
		got, err := store.Get(t.Context(), p.Subject)
		if err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(p, got, ignoreTimes); diff != "" {
			r.Fatal(diff)
		}
	})
}

func TestProfiles_Put_stores_the_longest_profile(t *testing.T) {
	store, _, _ := start(t)
	longest := accounts.Profile{
		Subject:              strings.Repeat("~", validate.MaxUserName),
		DisplayName:          strings.Repeat("🪨", accounts.MaxDisplayName),
		Bio:                  strings.Repeat("🪨", accounts.MaxBio),
		CommentNotifications: true,
		Language:             "en" + strings.Repeat("-abcdefg", 4) + "a",
	}
	if err := longest.Validate(); err != nil || len(longest.Language) > accounts.MaxLanguage {
		t.Fatal(err)
	}
	if diff := cmp.Diff(longest, put(t, store, longest), ignoreTimes); diff != "" {
		t.Error(diff)
	}
}

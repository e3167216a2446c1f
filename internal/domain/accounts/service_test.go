package accounts_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/accounts"
	"github.com/ashlar-cdk/ashlar/internal/domain/validate"
)

// A step is one of a service's dependencies: it records its call, and fails with its error.
type step struct {
	name  string
	calls *[]string
	err   error
}

func (s step) call(argument string) error {
	*s.calls = append(*s.calls, s.name+" "+argument)
	return s.err
}

func (s step) Delete(_ context.Context, name string) error     { return s.call(name) }
func (s step) DeleteAll(_ context.Context, owner string) error { return s.call(owner) }

func TestService_Delete(t *testing.T) {
	want := []string{"store subject", "pictures subject", "users name"}
	failure := errors.New("failed")
	for failing := range len(want) + 1 {
		var calls []string
		newStep := func(i int, name string) step {
			if i == failing {
				return step{name, &calls, failure}
			}
			return step{name, &calls, nil}
		}
		service := accounts.Service{
			Store: newStep(0, "store"), Pictures: newStep(1, "pictures"),
			Users: newStep(2, "users"),
		}
		err := service.Delete(t.Context(), "subject", "name")
		if diff := cmp.Diff(want[:min(failing+1, len(want))], calls); diff != "" ||
			errors.Is(err, failure) != (failing < len(want)) {
			t.Errorf("step %d fails: %v, calls (-want +got):\n%s", failing, err, diff)
		}
	}
}

// fakeProfiles stores the last profile that was put, and fails with err.
type fakeProfiles struct {
	accounts.Profiles
	put accounts.Profile
	off []string // subjects whose comment notifications were turned off
	err error
}

func (f *fakeProfiles) Put(
	_ context.Context, p accounts.Profile, _ *bool,
) (accounts.Profile, error) {
	f.put = p
	return p, f.err
}

func (f *fakeProfiles) SetCommentNotifications(_ context.Context, subject string, on bool) error {
	if !on {
		f.off = append(f.off, subject)
	}
	return f.err
}

func TestService_PutProfile(t *testing.T) {
	profiles := &fakeProfiles{}
	service := accounts.Service{Profiles: profiles}
	if got, err := service.PutProfile(t.Context(), valid(), nil); err != nil || got != valid() ||
		profiles.put != valid() {
		t.Errorf("a valid profile: %+v, %v; stored %+v", got, err, profiles.put)
	}
	if _, err := service.PutProfile(t.Context(), accounts.Profile{Subject: "eve"},
		nil); !isInvalid(err) || profiles.put != valid() {
		t.Errorf("an invalid profile: %v; stored %+v", err, profiles.put)
	}
}

func isInvalid(err error) bool {
	_, invalid := errors.AsType[*validate.Error](err)
	return invalid
}

func TestService_DisableCommentNotifications(t *testing.T) {
	failure := errors.New("failed")
	for err, want := range map[error]error{
		nil: nil, accounts.ErrProfileNotFound: nil, accounts.ErrDeleted: nil, failure: failure,
	} {
		profiles := &fakeProfiles{err: err}
		got := (&accounts.Service{Profiles: profiles}).DisableCommentNotifications(t.Context(),
			"ada")
		if got != want || !cmp.Equal(profiles.off, []string{"ada"}) {
			t.Errorf("the store returns %v: got %v, want %v; off for %v", err, got, want,
				profiles.off)
		}
	}
}

func TestPosition_binary(t *testing.T) {
	want := accounts.Position{Version: 1<<63 + 7, ID: uuid.New()}
	encoded, err := want.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var got accounts.Position
	if err := got.UnmarshalBinary(encoded); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, data := range [][]byte{nil, encoded[1:], append(encoded, 0)} {
		if err := got.UnmarshalBinary(data); err == nil || got != want {
			t.Errorf("%d bytes: %v, %+v; want an error and the position unchanged", len(data), err,
				got)
		}
	}
}

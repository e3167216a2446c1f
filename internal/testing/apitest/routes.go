package apitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashlar-cdk/ashlar/internal/testing/resttest"
	"github.com/ashlar-cdk/ashlar/rest"
)

// A Route describes the expected responses of a route, to valid and to invalid requests.
type Route struct {
	// Request returns a valid request of user, on objects that it creates for owner.
	Request func(t testing.TB, user, owner string) resttest.Request
	// Cursor is the name of the query parameter for the cursor; empty in a route without one. List
	// returns the name of the list of a request's cursors, Position is the start of the list, and
	// Lifetime is the lifetime of its cursors.
	Cursor   string
	List     func(resttest.Request) string
	Position []byte
	Lifetime time.Duration
	// Want lists the cases of the route by response: a status with the error's code (400
	// invalid_request), or with the word page if the response is a page (400 page).
	Want map[string][]string
}

const (
	sql     = `'; DROP TABLE posts; --`
	unknown = "00000000-0000-7000-8000-000000000000"
	other   = "00000000-0000-4000-8000-0000000000bb"
)

// parameter finds the parameters of a path.
var parameter = regexp.MustCompile(`\{([^}]*)\}`)

// CheckRoutes checks the response of every route of a table in every case. It fails the test if a
// route or a case of a route is missing in routes.
func CheckRoutes(t *testing.T, f *Function, table []rest.Operation, routes map[string]Route) {
	var inTable []string
	for _, operation := range table {
		inTable = append(inTable, operation.Method+" "+operation.Path)
	}
	slices.Sort(inTable)
	if diff := cmp.Diff(inTable, slices.Sorted(maps.Keys(routes))); diff != "" {
		t.Fatalf("routes (-in the table +in the test):\n%s", diff)
	}
	for _, operation := range table {
		name := operation.Method + " " + operation.Path
		route := routes[name]
		wanted := map[string]string{}
		for answer, cases := range route.Want {
			for _, one := range cases {
				wanted[one] = answer
			}
		}
		cases := casesOf(f, operation, route)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(cases)),
			slices.Sorted(maps.Keys(wanted))); diff != "" {
			t.Errorf("%s: cases (-that it has +in the test):\n%s", name, diff)
		}
		for _, one := range slices.Sorted(maps.Keys(cases)) {
			t.Run(name+"/"+one, func(t *testing.T) { check(t, f, cases[one](t), wanted[one]) })
		}
	}
}

func check(t *testing.T, f *Function, request resttest.Request, want string) {
	t.Helper()
	response := f.Do(t, request)
	got := fmt.Sprint(response.StatusCode)
	if strings.HasPrefix(response.Headers["Content-Type"], "text/html") {
		got += " page"
	} else if response.StatusCode >= 400 {
		var body struct{ Error resttest.Error }
		if err := json.Unmarshal([]byte(response.Body), &body); err != nil {
			t.Fatalf("%v: %s", err, response.Body)
		}
		resttest.ErrorOf(t, response, response.StatusCode, body.Error.Code)
		got += " " + body.Error.Code
	}
	if got != want {
		t.Errorf("response %s, want %s: %s", got, want, response.Body)
	}
}

// casesOf returns the cases of a route, which follow from its declaration: requests by name.
func casesOf(
	f *Function, operation rest.Operation, route Route,
) map[string]func(testing.TB) resttest.Request {
	valid := func(t testing.TB) resttest.Request {
		return route.Request(t, resttest.Subject, resttest.Subject)
	}
	cases := map[string]func(testing.TB) resttest.Request{"valid": valid}
	change := func(name string, change func(testing.TB, *resttest.Request)) {
		cases[name] = func(t testing.TB) resttest.Request {
			request := valid(t)
			change(t, &request)
			return request
		}
	}
	cases["twice"] = func(t testing.TB) resttest.Request {
		request := valid(t)
		if slices.Contains(operation.Headers, rest.IdempotencyKeyHeader) {
			request.Headers = map[string]string{rest.IdempotencyKeyHeader: "the-same-for-both"}
		}
		first := f.Do(t, request)
		if request.Headers == nil {
			return request
		}
		if second := f.Do(t, request); first.Body != second.Body ||
			first.StatusCode != second.StatusCode {
			t.Errorf("the second response is %s, the first was %s", second.Body, first.Body)
		}
		return request
	}
	if operation.Access == rest.Authenticated {
		change("not signed in", func(_ testing.TB, request *resttest.Request) {
			request.Subject = ""
		})
	}
	if operation.Body != nil {
		change("no body", func(_ testing.TB, request *resttest.Request) { request.Body = "" })
		set := func(t testing.TB, request *resttest.Request, name string, value any) {
			var body map[string]any
			if err := json.Unmarshal([]byte(request.Body), &body); err != nil {
				t.Fatal(err)
			}
			body[name] = value
			encoded, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			request.Body = string(encoded)
		}
		change("unknown field", func(t testing.TB, request *resttest.Request) {
			set(t, request, "subject", other)
		})
		for name, schema := range operation.Body["properties"].(map[string]any) {
			schema := schema.(map[string]any)
			change("wrong type in "+name, func(t testing.TB, request *resttest.Request) {
				set(t, request, name, []any{map[string]any{}})
			})
			change("SQL in "+name, func(t testing.TB, request *resttest.Request) {
				set(t, request, name, sql)
			})
			if longest, ok := schema["maxLength"].(*int); ok {
				change("too long "+name, func(t testing.TB, request *resttest.Request) {
					set(t, request, name, strings.Repeat("x", *longest+1))
				})
			}
		}
	}
	for _, name := range operation.Headers {
		change("SQL in "+name, func(_ testing.TB, request *resttest.Request) {
			request.Headers = map[string]string{name: sql}
		})
		change("too long "+name, func(_ testing.TB, request *resttest.Request) {
			request.Headers = map[string]string{name: strings.Repeat("x", 1000)}
		})
	}
	for _, name := range operation.Query {
		change("SQL in "+name, func(_ testing.TB, request *resttest.Request) {
			request.Query = map[string]string{name: sql}
		})
		if name == "limit" {
			change("limit of zero", func(_ testing.TB, request *resttest.Request) {
				request.Query = map[string]string{name: "0"}
			})
			change("limit of a million", func(_ testing.TB, request *resttest.Request) {
				request.Query = map[string]string{name: "1000000"}
			})
		}
	}
	if name := route.Cursor; name != "" {
		send := func(
			position []byte, age time.Duration, list func(resttest.Request) string,
		) func(testing.TB, *resttest.Request) {
			return func(t testing.TB, request *resttest.Request) {
				request.Query = map[string]string{name: f.Cursor(t, list(*request), position, age)}
			}
		}
		change("forged "+name, func(t testing.TB, request *resttest.Request) {
			send(route.Position, 0, route.List)(t, request)
			cursor := request.Query[name]
			first := "A"
			if strings.HasPrefix(cursor, first) {
				first = "Q"
			}
			request.Query[name] = first + cursor[1:]
		})
		change("old "+name, send(route.Position, route.Lifetime-time.Minute, route.List))
		change("expired "+name, send(route.Position, route.Lifetime+time.Minute, route.List))
		change("empty "+name, send(nil, 0, route.List))
		change("overlong "+name, send(append([]byte{1}, route.Position...), 0, route.List))
		change(name+" of another list",
			send(route.Position, 0, func(resttest.Request) string { return "another" }))
	}
	for _, match := range parameter.FindAllStringSubmatch(operation.Path, -1) {
		name := match[1]
		set := func(value string) func(testing.TB, *resttest.Request) {
			return func(_ testing.TB, request *resttest.Request) {
				request.Path = maps.Clone(request.Path)
				request.Path[name] = value
			}
		}
		change("SQL in "+name, set(sql))
		change("unknown "+name, set(unknown))
	}
	if strings.Contains(operation.Path, "{") && operation.Method != "POST" {
		cases["another's"] = func(t testing.TB) resttest.Request {
			return route.Request(t, resttest.Subject, other)
		}
	}
	return cases
}
